// A scene that plays: its parameters, a reel of what follows from them, and whatever shows it.

import { format, moment, parse, type Spec } from "../params.js";
import { ask, type Place } from "../scene.js";
import { frame, onWidth, type Frame } from "./frame.js";
import { Knobs, type Control } from "./knobs.js";
import { KEYS, Player, type Reel } from "./player.js";

/** What shows one scene. */
export interface Show<P> {
  /** Computes what follows from other parameters. */
  begin(params: P): void;
  /** Draws what does not change while the scene plays, for the width that there is. */
  lay(): void;
  /** Draws the moment; `animate` says whether changes may move. */
  draw(now: number, animate: boolean): void;
  /** Fills the tables; answers the figures in them. */
  tables(now: number): unknown;
  /** The moment in words. */
  sentence(now: number): string;
  /** Gives back what the page does not collect by itself. */
  leave?(): void;
}

export interface Speeds {
  /** The values of the parameter `speed`, with what the list says. */
  options: readonly (readonly [number, string])[];
  /** Milliseconds of the reel in one of the reader, at speed 1. */
  unit?: number;
}

export interface Playing<P> {
  spec: Spec<P>;
  controls: readonly Control<P>[];
  /** Further keys that work while the picture has the focus. */
  keys?: readonly [string, string][];
  speeds: Speeds;
  question(params: P): string;
  /** Other parameters show another run: from its start, not from the moment that was shown. */
  fromStart?: boolean;
  /** Parameters that can be computed with. */
  mend?(params: P): P;
  /** Who asked for less motion sees the end first, unless a link names a moment. */
  endFirst?: boolean;
  /** Makes the picture and the results. `stage` can be used once the scene stands. */
  build(view: Frame, stage: Stage<P>): { show: Show<P>; reel: Reel };
}

/** A scene on the page, to those of its parts that act on it. */
export interface Stage<P> {
  readonly params: P;
  /** Whether the reader asked for less motion. */
  readonly less: boolean;
  readonly place: Place;
  /** Shows what follows from other parameters, at this moment. */
  begin(params: P, at: number): void;
  /** Draws what `begin` has come to since, at this moment. */
  relay(at: number): void;
  play(on: boolean): void;
  /** Whether a control has no effect. */
  disable(name: keyof P & string, disabled: boolean): void;
}

/** Shows the scene; the answer takes it away again. */
export function play<P extends { speed: number }>(place: Place, scene: Playing<P>): () => void {
  const { spec, controls, speeds, question, mend = (params) => params } = scene;
  const link = parse(spec, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  let params = mend(link.params);

  const view = frame(place.stage, [...(scene.keys ?? []), ...KEYS]);
  const stage: Stage<P> = {
    get params() {
      return params;
    },
    get less() {
      return player.less;
    },
    place,
    begin,
    relay: (at) => {
      reel.goTo(at);
      lay();
    },
    play: (on) => player.setPlaying(on),
    disable: (name, disabled) => knobs.disable(name, disabled),
  };
  const { show, reel } = scene.build(view, stage);
  const player = new Player(
    view,
    {
      reel,
      draw: ({ animate, tables, words }) => {
        const now = reel.now();
        show.draw(now, animate);
        if (tables) document.documentElement.dataset["summary"] = JSON.stringify(show.tables(now));
        if (words) view.say.textContent = show.sentence(now);
      },
      keep: () => place.keep(format(spec, params, reel.now())),
    },
    {
      ...speeds,
      get: () => params.speed,
      set: (speed) => {
        params = { ...params, speed };
        knobs.show(params);
      },
    },
    place.flush,
  );
  const knobs = new Knobs(view.knobs, controls, (next) => {
    const resume = player.playing;
    begin(next, scene.fromStart ? first() : reel.now());
    player.setPlaying(resume);
  });

  const first = () => (player.less && scene.endFirst ? Infinity : 0);

  function begin(next: P, at: number): void {
    params = mend(next);
    knobs.show(params);
    show.begin(params);
    ask(place, question(params));
    reel.goTo(at);
    lay();
  }

  function lay(): void {
    show.lay();
    player.loaded();
  }

  const unwatch = onWidth(view.figure, lay);
  // Colours on a canvas do not follow by themselves.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", lay);
  begin(params, start.time ?? first());
  // A link to a moment shows that moment; who asked for less motion starts it by hand.
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    dark.removeEventListener("change", lay);
    player.leave();
    show.leave?.();
  };
}
