// The scene: parameters and playback, and everything that shows the run.

import type { Take, Victim } from "../pkg/divvy.js";
import { byId, html } from "../dom.js";
import { DEFAULTS, format, parse, type Params } from "./params.js";
import { Picture } from "./picture.js";
import { Plot } from "./plot.js";
import { outcome, Run } from "./run.js";
import { compare, compareTable, question, sentence, statsTable, type Choice } from "./words.js";

/** The longest step of the animation: a tab that was away does not leap. */
const LONGEST_FRAME = 50;
/** How often the words change while the run plays, in milliseconds: a screen reader must be able to follow. */
const SAY_EVERY = 4000;
const TABLE_EVERY = 200;

export function startScene(): void {
  const knobs = byId("knobs", HTMLFormElement);
  const play = byId("play", HTMLButtonElement);
  const time = byId("time", HTMLInputElement);
  const say = byId("say", HTMLOutputElement);
  const speed = byId("speed", HTMLSelectElement);
  const figure = byId("picture", HTMLElement);
  const picture = new Picture(byId("lanes", HTMLDivElement));
  const plot = new Plot(byId("plot", HTMLDivElement));
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const link = parse(location.search);
  let params: Params = link.params;
  let run = new Run(params);
  let choices: Choice[] = [];
  let end = 1;
  let playing = false;
  let last = 0;
  let pending = 0;
  let said = 0;
  let tabled = 0;

  const address = new Address();
  byId("notes", HTMLDivElement).replaceChildren(
    ...link.notes.map((note) => html("p", { class: "note" }, note)),
  );
  byId("scene", HTMLElement).hidden = false;

  // Parameters

  function showParams(): void {
    for (const name of ["policy", "victim"] as const) {
      const radio = knobs.querySelector<HTMLInputElement>(`input[name=${name}][value=${params[name]}]`);
      if (radio) radio.checked = true;
    }
    for (const name of ["workers", "share", "seed"] as const)
      byId(name, HTMLInputElement).value = String(params[name]);
    for (const name of ["workers", "share"] as const) {
      byId(`${name}-value`, HTMLOutputElement).textContent = String(params[name]);
    }
    const cost = byId("cost", HTMLSelectElement);
    const known = [...cost.options].some((option) => option.value === String(params.cost));
    if (!known) cost.append(html("option", { value: params.cost }, `${params.cost / 1000} ms`));
    cost.value = String(params.cost);
    speed.value = String(params.speed);
    byId("victim", HTMLFieldSetElement).disabled = params.policy === "none";
    byId("question", HTMLHeadingElement).textContent = question(params);
  }

  /** What the form says; a number that it cannot hold stays as it was. */
  function readParams(): Params {
    const form = new FormData(knobs);
    const number = (name: keyof Params, low: number, high: number) => {
      const value = Number(form.get(name));
      return Number.isSafeInteger(value) && value >= low && value <= high ? value : (params[name] as number);
    };
    return {
      seed: form.get("seed") === "" ? params.seed : number("seed", 0, Number.MAX_SAFE_INTEGER),
      workers: number("workers", 2, 8),
      share: number("share", 0, 100),
      cost: number("cost", 1, 10_000_000),
      policy: form.get("policy") as Take,
      // A disabled choice is not in the form's data.
      victim: (form.get("victim") as Victim | null) ?? params.victim,
      speed: params.speed,
    };
  }

  /** Another run, shown from `at` on. */
  function begin(next: Params, at: number): void {
    params = next;
    showParams();
    run.free();
    run = new Run(params);
    choices = compare(params);
    end = outcome(params).makespan;
    time.max = String(end);
    run.goTo(Math.min(at, end));
    lay();
  }

  function lay(): void {
    const alone = choices[0]?.makespan ?? end;
    plot.lay(run, picture.lay(run, { domain: Math.max(alone, end) * 1.01, alone }));
    byId("compare", HTMLDivElement).replaceChildren(
      compareTable(choices, run.lowerBound, params, ({ policy, victim }) => {
        begin({ ...params, policy, victim }, 0);
        byId("compare", HTMLDivElement).querySelector<HTMLElement>("[aria-current]")?.focus();
        setPlaying(!still.matches);
      }),
    );
    draw(false, true);
  }

  // Showing

  function draw(animate: boolean, everything: boolean): void {
    picture.draw(run, animate && !still.matches);
    plot.draw(run);
    time.value = String(run.now);
    time.setAttribute("aria-valuetext", `${Math.round(run.now)} milliseconds`);
    const now = performance.now();
    if (everything || now - tabled >= TABLE_EVERY) {
      tabled = now;
      byId("stats", HTMLDivElement).replaceChildren(statsTable(run));
    }
    if (everything || now - said >= SAY_EVERY) {
      said = now;
      say.textContent = sentence(run);
    }
    if (everything) address.set(format(params, run.now));
    document.documentElement.dataset["time"] = String(run.now);
    document.documentElement.dataset["playing"] = String(playing);
  }

  // Playback

  function setPlaying(on: boolean): void {
    if (on && run.unfinished === 0) run.goTo(0);
    playing = on;
    play.textContent = on ? "Pause" : "Play";
    draw(false, true);
    cancelAnimationFrame(pending);
    if (on) {
      last = performance.now();
      pending = requestAnimationFrame(frame);
    }
  }

  function frame(now: number): void {
    if (!playing) return;
    const passed = Math.min(Math.max(now - last, 0), LONGEST_FRAME);
    last = now;
    run.goTo(run.now + passed * params.speed);
    if (run.unfinished === 0) {
      setPlaying(false);
      return;
    }
    draw(true, false);
    pending = requestAnimationFrame(frame);
  }

  const actions = {
    play: () => setPlaying(!playing),
    step: () => {
      setPlaying(false);
      run.step();
      draw(true, true);
    },
    back: () => {
      // To just before what happened last.
      const before = run.lengths.filter(({ at }) => at < run.now).at(-1)?.at ?? 0;
      run.goTo(before);
      setPlaying(false);
    },
    restart: () => {
      run.goTo(0);
      setPlaying(false);
    },
    jump: () => {
      run.finish();
      setPlaying(false);
    },
  };

  for (const name of ["play", "step", "restart", "jump"] as const) {
    byId(name, HTMLButtonElement).addEventListener("click", actions[name]);
  }
  figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {
      " ": "play",
      ArrowRight: "step",
      ArrowLeft: "back",
      Home: "restart",
      End: "jump",
    } as const;
    const name = action[event.key as keyof typeof action];
    if (!name) return;
    event.preventDefault();
    actions[name]();
  });
  time.addEventListener("input", () => {
    run.goTo(Number(time.value));
    setPlaying(false);
  });
  speed.addEventListener("change", () => {
    params = { ...params, speed: Number(speed.value) };
    draw(false, true);
  });
  knobs.addEventListener("submit", (event) => event.preventDefault());
  knobs.addEventListener("input", () => {
    const next = readParams();
    if (format(next, 0) === format(params, 0)) return;
    const resume = playing;
    begin(next, 0);
    setPlaying(resume);
  });
  // What the field could not hold is put right when the reader leaves it.
  byId("seed", HTMLInputElement).addEventListener("change", showParams);
  byId("reseed", HTMLButtonElement).addEventListener("click", () => {
    const resume = playing;
    begin({ ...params, seed: Math.floor(Math.random() * 100_000) }, 0);
    setPlaying(resume);
  });
  byId("copy", HTMLButtonElement).addEventListener("click", (event) => {
    address.set(format(params, run.now));
    address.flush();
    void copyLink(event.currentTarget as HTMLButtonElement);
  });
  window.addEventListener("pagehide", () => address.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && playing) setPlaying(false);
  });
  let width = figure.clientWidth;
  new ResizeObserver(() => {
    if (figure.clientWidth === width) return;
    width = figure.clientWidth;
    lay();
  }).observe(figure);

  begin(params, link.time ?? 0);
  // A link to a moment shows that moment; who asked for less motion starts it by hand.
  if (link.time === undefined && !still.matches) setPlaying(true);
}

/** The address of the page. Browsers refuse to change it too often, so it is written a few times a second at most. */
class Address {
  private next: string | undefined;
  private timer = 0;

  set(query: string): void {
    this.next = query;
    this.timer ||= window.setTimeout(() => this.flush(), 300);
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.next !== undefined) history.replaceState(null, "", this.next + location.hash);
    this.next = undefined;
  }
}

async function copyLink(button: HTMLButtonElement): Promise<void> {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar";
  }
  setTimeout(() => (button.textContent = label), 2000);
}

/** The cases that the text of the page speaks of, so that a test can hold the text to them. */
export function staticFigures(): Record<string, number> {
  const bound = outcome(DEFAULTS).bound;
  const none = outcome({ ...DEFAULTS, policy: "none" }).makespan;
  return { bound, none, half: outcome(DEFAULTS).makespan };
}
