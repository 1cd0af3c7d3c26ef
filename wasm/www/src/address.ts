// The address of the page: which scene it shows, and in what state.

/** A place to go: the name of a scene, and the query that its state is read from. */
export interface Target {
  scene: string;
  query: string;
}

/**
 * What the address asks for. `#scene?state` is how the page writes it; `?scene=name&state`, or a state alone, is how
 * it wrote work stealing before there were other scenes.
 */
export function target(search: string, hash: string, fallback: string): Target {
  const name = hash.replace(/^#/, "");
  if (name !== "") {
    const [scene = "", ...state] = name.split("?");
    return { scene, query: state.join("?") };
  }
  return { scene: new URLSearchParams(search).get("scene") ?? fallback, query: search };
}

/**
 * Writes the address. Browsers refuse to change it too often, so it is written a few times a second at most; and never
 * over an address that came from elsewhere, such as a link that the page has not been told of yet.
 */
export class Address {
  private next: string | undefined;
  private timer = 0;
  /** What the page has seen or written last. */
  private seen = location.hash;

  set({ scene, query }: Target): void {
    this.next = `#${scene}?${query}`;
    this.timer ||= window.setTimeout(() => this.flush(), 300);
  }

  /** The address as it is now is what the page shows; what was not written yet stays unwritten. */
  follow(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.next = undefined;
    this.seen = location.hash;
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.next !== undefined && location.hash === this.seen) {
      history.replaceState(null, "", location.pathname + this.next);
      this.seen = location.hash;
    }
    this.next = undefined;
  }
}
