// The rows of the workers: what each of them ran, runs, and has waiting.

import { paint, patterns } from "../../chart/patterns.js";
import { scale, ticks, type Scale } from "../../chart/scale.js";
import { set, svg } from "../../dom.js";
import { seconds } from "../../format.js";
import { ActivityKind, Place } from "../../pkg/divvy.js";
import type { Activity, Run, Task } from "./run.js";

const TOP = 40;
const AXIS = 24;
const MOVE = { duration: 420, easing: "cubic-bezier(.3,.1,.2,1)" };

interface Spot {
  x: number;
  y: number;
  worker: number;
}

interface Row {
  group: SVGGElement;
  label: SVGGElement;
  state: SVGTextElement;
  progress: SVGRectElement;
  attempt: SVGRectElement;
}

/** The marks that every picture of a run has beside the run itself. */
export interface Marks {
  /** How far the axis goes. */
  domain: number;
  /** When the last task ends if nobody steals. */
  alone: number;
}

export class Picture {
  private readonly host: HTMLElement;
  private root = svg("svg");
  private scale: Scale = scale(900, 1000);
  private marks: Marks = { domain: 1000, alone: 1000 };
  private blocks: SVGRectElement[] = [];
  private spots: (Spot | undefined)[] = [];
  private rows: Row[] = [];
  private steals = svg("g", { class: "steals" });
  private drawnSteals = 0;
  /** Where the last number of tasks was written, for each gap between rows. */
  private counts: number[] = [];
  private now = svg("g", { class: "now" });
  private nowText = svg("text", { y: TOP - 6 });
  /** Whether the names stand above their rows. */
  private narrow = false;
  private block = 30;
  private pitch = 44;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  /** Begins a picture of another run, or the same one in another width. */
  lay(run: Run, marks: Marks): Scale {
    const workers = run.params.workers;
    this.marks = marks;
    this.scale = scale(Math.max(280, this.host.clientWidth), marks.domain);
    this.narrow = this.scale.gutter < 50;
    this.block = workers > 5 ? 24 : 30;
    this.pitch = this.block + (this.narrow ? 24 : 12);
    const height = TOP + workers * this.pitch + AXIS;
    this.root = svg("svg", {
      ...{ width: this.scale.width, height, viewBox: `0 0 ${this.scale.width} ${height}`, role: "img" },
      "aria-label": "What each worker ran, runs and has waiting, over time. The text below says the same.",
    });
    this.root.append(patterns(workers), this.frame(run, height));
    this.rows = Array.from({ length: workers }, (_, worker) => this.row(worker));
    const blocks = svg("g", { class: "blocks" });
    this.blocks = run.tasks().map(({ id, origin }) =>
      svg("rect", {
        class: "block",
        height: this.block,
        rx: 1.5,
        fill: paint(origin),
        "data-task": id,
        "data-origin": origin,
      }),
    );
    blocks.append(...this.blocks);
    this.spots = [];
    this.steals = svg("g", { class: "steals" });
    this.drawnSteals = 0;
    this.counts = [];
    this.now = svg("g", { class: "now" });
    this.now.append(svg("line", { y1: TOP - 2, y2: height - AXIS + 4 }), this.nowText);
    this.root.append(...this.rows.map((row) => row.group), blocks);
    this.root.append(...this.rows.flatMap((row) => [row.progress, row.attempt]));
    this.root.append(this.steals, this.now, ...this.rows.map((row) => row.label));
    this.host.replaceChildren(this.root);
    return this.scale;
  }

  /** Shows the run as it is now; blocks that changed rows move there if `animate`. */
  draw(run: Run, animate: boolean): void {
    const now = run.now;
    const tasks = run.tasks();
    const activities = run.activities();
    const waiting = queues(tasks, run.params.workers);
    set(this.root, {
      "data-time": String(now),
      "data-done": tasks.length - run.unfinished,
      "data-waiting": waiting.reduce((sum, queue) => sum + queue.length, 0),
      "data-steals": run.attempts.filter((attempt) => attempt.count > 0).length,
    });
    for (const task of tasks) {
      if (task.start !== undefined) this.place(task, task.start, animate);
    }
    activities.forEach((activity, worker) => {
      // What waits begins where the present activity ends.
      let time = activity.kind === ActivityKind.Idle ? now : Math.max(now, activity.until);
      const queue = waiting[worker] ?? [];
      for (const task of queue) {
        this.place(task, time, animate);
        time += task.cost;
      }
      this.status(worker, activity, queue.length, now, tasks);
    });
    this.drawSteals(run);
    set(this.now, { transform: `translate(${this.scale.x(now).toFixed(2)} 0)` });
    this.nowText.textContent = seconds(now);
    const end = this.scale.x(now) > this.scale.width - 60;
    set(this.nowText, { x: end ? -5 : 5, "text-anchor": end ? "end" : "start" });
  }

  private y(worker: number): number {
    return TOP + worker * this.pitch + (this.pitch - this.block) - 4;
  }

  private place(task: Task, start: number, animate: boolean): void {
    const block = this.blocks[task.id];
    if (!block) return;
    const spot = { x: this.scale.x(start), y: this.y(task.worker), worker: task.worker };
    const before = this.spots[task.id];
    const width = Math.max(0.8, this.scale.x(start + task.cost) - spot.x - 0.8);
    set(block, {
      ...{ x: spot.x, y: spot.y, width },
      "data-worker": task.worker,
      "data-place": Place[task.place]?.toLowerCase() ?? "",
    });
    if (animate && before && before.worker !== spot.worker) {
      const from = `translate(${before.x - spot.x}px, ${before.y - spot.y}px)`;
      block.animate([{ transform: from }, { transform: "none" }], MOVE);
    }
    this.spots[task.id] = spot;
  }

  private status(worker: number, activity: Activity, waiting: number, now: number, tasks: Task[]): void {
    const row = this.rows[worker];
    if (!row) return;
    const running = activity.kind === ActivityKind.Running;
    const origin = running ? (tasks[activity.subject]?.origin ?? 0) : 0;
    const until = running ? Math.min(now, activity.until) : now;
    set(row.progress, {
      x: this.scale.x(running ? activity.since : now),
      width: running ? Math.max(0, this.scale.x(until) - this.scale.x(activity.since) - 0.8) : 0,
      fill: paint(origin),
    });
    const stealing = activity.kind === ActivityKind.Stealing;
    set(row.attempt, {
      x: this.scale.x(activity.since),
      width: stealing ? this.scale.x(now) - this.scale.x(activity.since) : 0,
    });
    const state = ActivityKind[activity.kind]?.toLowerCase() ?? "";
    set(row.group, { "data-worker": worker, "data-state": state, "data-queued": waiting });
    const doing = {
      [ActivityKind.Ready]: now > 0 ? "done" : "ready",
      [ActivityKind.Running]: `${waiting} waiting`,
      [ActivityKind.Stealing]: `steals from ${activity.subject}`,
      [ActivityKind.Idle]: "idle",
    }[activity.kind];
    if (row.state.textContent !== doing) row.state.textContent = doing;
  }

  /** Attempts never change once they are over, so only new ones are added. */
  private drawSteals(run: Run): void {
    if (run.attempts.length < this.drawnSteals) {
      this.steals.replaceChildren();
      this.drawnSteals = 0;
      this.counts = [];
    }
    for (const { thief, victim, since, until, count } of run.attempts.slice(this.drawnSteals)) {
      const [x, y] = [this.scale.x(until), this.y(thief)];
      const from = this.scale.x(since);
      const trace = svg("rect", {
        class: "try",
        x: from,
        y: y + this.block / 2 - 2,
        width: Math.max(0.7, x - from),
        height: 4,
      });
      if (count === 0) {
        this.steals.append(trace, svg("path", { class: "miss", d: `M${x - 2.5} ${y - 6}l5 5m0 -5l-5 5` }));
        continue;
      }
      const end = thief > victim ? y : y + this.block;
      const start = thief > victim ? this.y(victim) + this.block : this.y(victim);
      const link = svg("g", {
        class: "steal",
        "data-thief": thief,
        "data-victim": victim,
        "data-count": count,
      });
      link.append(
        svg("line", { x1: x, x2: x, y1: start, y2: end }),
        svg("circle", { cx: x, cy: end, r: 2.4 }),
      );
      this.steals.append(trace, link);
      // How many, in the gap beside the row, unless another number is there already.
      const gap = thief > victim ? thief : thief + 1;
      if (count > 1 && x - (this.counts[gap] ?? -Infinity) > 18 && !this.narrow) {
        this.counts[gap] = x;
        link.append(
          svg("text", { class: "count", x: x + 5, y: thief > victim ? end - 2 : end + 9 }, String(count)),
        );
      }
    }
    this.drawnSteals = run.attempts.length;
  }

  private row(worker: number): Row {
    const { narrow } = this;
    const y = this.y(worker);
    const middle = y + this.block / 2;
    const swatch = narrow ? { x: this.scale.gutter, y: y - 15 } : { x: 0, y: middle - 12 };
    const name = svg("text", { class: "name", x: swatch.x + 16, y: swatch.y + 10 }, `worker ${worker}`);
    const state = svg(
      "text",
      narrow
        ? { class: "state", x: swatch.x + 84, y: swatch.y + 10 }
        : { class: "state", x: 16, y: middle + 14 },
    );
    const track = svg("rect", {
      ...{ class: "track", x: this.scale.gutter, y, height: this.block },
      width: this.scale.width - this.scale.gutter - 4,
    });
    const chip = svg("rect", { ...swatch, width: 11, height: 11, rx: 2, fill: paint(worker) });
    const group = svg("g", { class: "row" }, track);
    const label = svg("g", { class: "who" }, chip, name, state);
    const progress = svg("rect", { class: "progress", y, height: this.block, rx: 1.5 });
    const attempt = svg("rect", { class: "try", y: middle - 2, height: 4 });
    return { group, label, state, progress, attempt };
  }

  /** The axis, and the ends that the run is measured by. */
  private frame(run: Run, height: number): SVGGElement {
    const frame = svg("g", { class: "frame" });
    const bottom = height - AXIS + 4;
    for (const time of ticks(this.scale)) {
      const x = this.scale.x(time);
      frame.append(svg("line", { class: "tick", x1: x, x2: x, y1: TOP, y2: bottom }));
      frame.append(
        svg(
          "text",
          { class: "tick", x, y: bottom + 14, "text-anchor": time === 0 ? "start" : "middle" },
          `${time / 1000} s`,
        ),
      );
    }
    const mark = (kind: string, time: number, words: string, anchor: string) => {
      const x = this.scale.x(time);
      frame.append(
        svg("line", { class: kind, x1: x, x2: x, y1: 18, y2: bottom, "data-time": String(time) }),
        svg("text", { class: kind, x, y: 12, "text-anchor": anchor }, words),
      );
    };
    const bound = run.lowerBound;
    const left = this.scale.x(bound) > this.scale.width - 150;
    mark("bound", bound, `best possible ${seconds(bound)}`, left ? "end" : "middle");
    const apart = this.scale.x(this.marks.alone) - this.scale.x(bound);
    if (apart > 190) mark("alone", this.marks.alone, `nobody steals ${seconds(this.marks.alone)}`, "end");
    return frame;
  }
}

/** The queue of each worker in the order in which it would run its tasks itself. */
function queues(tasks: Task[], workers: number): Task[][] {
  const queues: Task[][] = Array.from({ length: workers }, () => []);
  for (const task of tasks) {
    if (task.place === Place.Queued) queues[task.worker]?.push(task);
  }
  for (const queue of queues) queue.sort((a, b) => b.order - a.order);
  return queues;
}
