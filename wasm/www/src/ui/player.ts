// Playback: a scene that runs in time is played, paused, stepped, and shown at any moment.

import { html } from "../dom.js";
import { copyButton } from "./copy.js";
import type { Frame } from "./frame.js";

/** The longest step of the animation: a tab that was away does not leap. */
const LONGEST_FRAME = 50;
/** How often the words change while the scene plays, in milliseconds: a screen reader must be able to follow. */
const SAY_EVERY = 4000;
const TABLE_EVERY = 200;

export const KEYS: readonly [string, string][] = [
  ["Space", "plays and pauses"],
  ["→", "steps"],
  ["←", "goes back"],
  ["Home", "restarts"],
  ["End", "jumps to the result"],
];

/** What of the scene is to be drawn. */
export interface Draw {
  /** Whether changes may move. */
  animate: boolean;
  /** The tables as well. */
  tables: boolean;
  /** The words as well. */
  words: boolean;
}

/** What can be played. Times are milliseconds. */
export interface Reel {
  now(): number;
  end(): number;
  /** To this moment, forwards or back. */
  goTo(time: number): void;
  /** To the next moment at which something happens. */
  step(): void;
  /** To just before what happened last. */
  back(): void;
  /** How to say a moment where it is not milliseconds. */
  moment?(time: number): string;
}

export interface Film {
  reel: Reel;
  draw(what: Draw): void;
  /** Puts the state into the address. */
  keep(): void;
}

export interface Speeds {
  /** Each speed with what the list says. */
  options: readonly (readonly [number, string])[];
  /** Milliseconds of the reel in one of the reader, at speed 1. */
  unit?: number;
  get(): number;
  set(speed: number): void;
}

export class Player {
  private readonly film: Film;
  private readonly speeds: Speeds;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly play: HTMLButtonElement;
  private readonly time: HTMLInputElement;
  private readonly speed: HTMLSelectElement;
  private on = false;
  private last = 0;
  private pending = 0;
  private said = 0;
  private tabled = 0;
  private readonly onVisibility = () => {
    if (document.hidden && this.on) this.setPlaying(false);
  };

  constructor(frame: Frame, film: Film, speeds: Speeds, flush: () => void) {
    this.film = film;
    this.speeds = speeds;
    const { reel } = film;
    const actions = {
      play: () => this.setPlaying(!this.on),
      step: () => this.pauseAt(() => reel.step()),
      back: () => this.pauseAt(() => reel.back()),
      restart: () => this.pauseAt(() => reel.goTo(0)),
      jump: () => this.pauseAt(() => reel.goTo(reel.end())),
    };
    const button = (name: "play" | "step" | "restart" | "jump", label: string) => {
      const button = html("button", { type: "button", id: name }, label);
      button.addEventListener("click", actions[name]);
      return button;
    };
    this.play = button("play", "Play");
    this.play.className = "main";
    this.speed = html(
      "select",
      { id: "speed", name: "speed" },
      ...speeds.options.map(([value, label]) => html("option", { value }, label)),
    );
    this.time = html("input", { id: "time", type: "range", min: 0, max: 1, step: "any", value: 0 });
    this.time.addEventListener("input", () => this.pauseAt(() => reel.goTo(Number(this.time.value))));
    this.speed.addEventListener("change", () => {
      speeds.set(Number(this.speed.value));
      this.film.keep();
    });
    frame.controls.append(
      html(
        "div",
        { class: "player", role: "group", "aria-label": "Playback" },
        ...[this.play, button("step", "Step"), button("restart", "Restart")],
        button("jump", "Jump to result"),
        html("label", { class: "inline", for: "speed" }, html("span", {}, "Speed"), this.speed),
        copyButton(() => {
          film.keep();
          flush();
        }),
        html(
          "label",
          { class: "scrub", for: "time" },
          html("span", { class: "hidden-label" }, "Time"),
          this.time,
        ),
      ),
    );
    frame.figure.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = {
        " ": "play",
        ArrowRight: "step",
        ArrowLeft: "back",
        Home: "restart",
        End: "jump",
      } as const;
      const name = keys[event.key as keyof typeof keys];
      if (!name) return;
      event.preventDefault();
      actions[name]();
    });
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  get playing(): boolean {
    return this.on;
  }

  /** Whether the reader asked for less motion. */
  get less(): boolean {
    return this.still.matches;
  }

  /** The film is another one, or another length of it. */
  loaded(): void {
    this.time.max = String(this.film.reel.end());
    this.speed.value = String(this.speeds.get());
    this.draw(false, true);
  }

  setPlaying(on: boolean): void {
    const { reel } = this.film;
    if (on && reel.now() >= reel.end()) reel.goTo(0);
    this.on = on;
    this.play.textContent = on ? "Pause" : "Play";
    this.draw(false, true);
    cancelAnimationFrame(this.pending);
    if (on) {
      this.last = performance.now();
      this.pending = requestAnimationFrame((now) => this.frame(now));
    }
  }

  leave(): void {
    cancelAnimationFrame(this.pending);
    this.on = false;
    document.removeEventListener("visibilitychange", this.onVisibility);
  }

  private pauseAt(move: () => void): void {
    move();
    this.setPlaying(false);
  }

  private draw(animate: boolean, everything: boolean): void {
    const now = performance.now();
    const tables = everything || now - this.tabled >= TABLE_EVERY;
    const words = everything || now - this.said >= SAY_EVERY;
    if (tables) this.tabled = now;
    if (words) this.said = now;
    this.film.draw({ animate: animate && !this.less, tables, words });
    const { reel } = this.film;
    const time = reel.now();
    this.time.value = String(time);
    const moment = reel.moment?.(time) ?? `${Math.round(time)} milliseconds`;
    this.time.setAttribute("aria-valuetext", moment);
    if (everything) this.film.keep();
    document.documentElement.dataset["time"] = String(time);
    document.documentElement.dataset["playing"] = String(this.on);
  }

  private frame(now: number): void {
    if (!this.on) return;
    const passed = Math.min(Math.max(now - this.last, 0), LONGEST_FRAME);
    this.last = now;
    const { reel } = this.film;
    const step = passed * this.speeds.get() * (this.speeds.unit ?? 1);
    reel.goTo(Math.min(reel.now() + step, reel.end()));
    if (reel.now() >= reel.end()) {
      this.setPlaying(false);
      return;
    }
    this.draw(true, false);
    this.pending = requestAnimationFrame((next) => this.frame(next));
  }
}
