// What a scene is to the page.

/** Where a scene is shown. */
export interface Place {
  /** Its part of the page: the question above, the text below. */
  article: HTMLElement;
  /** Empty; the scene fills it. */
  stage: HTMLElement;
  /** The state that the address asks for. */
  query: string;
  /** Tells the reader, one sentence each, what was wrong with the address. */
  note(sentences: readonly string[]): void;
  /** Puts this state into the address. */
  keep(query: string): void;
  /** Writes the address now. */
  flush(): void;
}

export interface Scene {
  /** As the address names it; its article has the id `scene-NAME`. */
  readonly name: string;
  readonly title: string;
  /** Shows the scene; the answer takes it away again. */
  mount(place: Place): () => void;
  /** The figures that the text of the scene speaks of, so that a test can hold the text to them. */
  figures?(): Record<string, string>;
}

/** A scene whose code comes when the reader does. */
export interface Coming {
  readonly name: string;
  load(): Promise<Scene>;
}

/** The question on top of the scene. */
export function ask(place: Place, question: string): void {
  const heading = place.article.querySelector("h1");
  if (heading && heading.textContent !== question) heading.textContent = question;
}
