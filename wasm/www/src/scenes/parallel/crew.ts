// Web Workers that share one memory, started for one run and ended after it.

import address from "../../pkg/threads_bg.wasm?url";

export type Question =
  | { do: "begin"; module: WebAssembly.Module; memory?: WebAssembly.Memory }
  | { do: "measure" }
  | { do: "deal"; seed: number; workers: number; half: boolean; tasks: Float64Array }
  | { do: "work"; worker: number };

export interface Answer {
  memory?: WebAssembly.Memory;
  perMilli?: number;
  log?: Float64Array;
  account?: Uint32Array;
  /** What the times of the log count from. */
  origin?: number;
  failed?: string;
}

/** What one worker did. */
export interface Done {
  log: Float64Array;
  account: Uint32Array;
  origin: number;
}

export interface Work {
  seed: number;
  workers: number;
  half: boolean;
  /** Who is given each task, and how many milliseconds it should take. */
  tasks: readonly { worker: number; millis: number }[];
}

/** The longest that a run may take, in milliseconds. */
const PATIENCE = 30_000;

let module: Promise<WebAssembly.Module> | undefined;
let perMilli: number | undefined;

/** Why workers cannot share memory here; `undefined` if they can. */
export function obstacle(): string | undefined {
  if (!crossOriginIsolated)
    return "the page is not cross-origin isolated, so its workers may not share memory";
  if (typeof Worker === "undefined" || typeof SharedArrayBuffer === "undefined")
    return "this browser has no workers that share memory";
  return undefined;
}

export class Crew {
  private readonly workers: Asked[] = [];
  private stop: (why: Error) => void = () => {};
  private timer = 0;

  /** Runs the tasks; fails if a worker does, if it takes too long, or when the run is ended. */
  async run(work: Work): Promise<Done[]> {
    const stopped = new Promise<never>((_, reject) => (this.stop = reject));
    const late = new Error(`the workers did not finish within ${PATIENCE / 1000} seconds`);
    this.timer = window.setTimeout(() => this.stop(late), PATIENCE);
    try {
      return await Promise.race([this.go(work), stopped]);
    } finally {
      this.end();
    }
  }

  /** Ends all workers, whatever they do. */
  end(): void {
    clearTimeout(this.timer);
    this.stop(new Error("the run was ended"));
    for (const worker of this.workers) worker.end();
  }

  private async go({ seed, workers, half, tasks }: Work): Promise<Done[]> {
    module ??= load();
    const compiled = await module;
    const first = this.start(0);
    const { memory } = await first.ask({ do: "begin", module: compiled });
    if (!memory) throw new Error("the first worker has no memory");
    perMilli ??= (await first.ask({ do: "measure" })).perMilli ?? 1;
    const rate = perMilli;
    const rows = tasks.flatMap(({ worker, millis }) => [worker, Math.max(1, Math.round(millis * rate))]);
    await first.ask({ do: "deal", seed, workers, half, tasks: Float64Array.from(rows) });
    const others = Array.from({ length: workers - 1 }, (_, i) => this.start(i + 1));
    await Promise.all(others.map((worker) => worker.ask({ do: "begin", module: compiled, memory })));
    return Promise.all(
      [first, ...others].map(async (asked, worker) => {
        const { log, account, origin } = await asked.ask({ do: "work", worker });
        if (!log || !account || origin === undefined) throw new Error(`worker ${worker} says nothing`);
        return { log, account, origin };
      }),
    );
  }

  private start(worker: number): Asked {
    const asked = new Asked(worker);
    this.workers.push(asked);
    return asked;
  }
}

/** A worker that answers one question at a time. */
class Asked {
  private readonly name: string;
  private readonly worker: Worker;

  constructor(worker: number) {
    this.name = `worker ${worker}`;
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: this.name });
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { worker, name } = this;
      worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if (data.failed === undefined) resolve(data);
        else reject(new Error(`${name}: ${data.failed}`));
      };
      worker.onerror = (event) => {
        // Said in the page; the console need not say it as well.
        event.preventDefault();
        reject(new Error(`${name}: ${event.message || "it could not be loaded"}`));
      };
      worker.onmessageerror = () => reject(new Error(`${name}: a message could not be read`));
      worker.postMessage(question);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}

async function load(): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compileStreaming(fetch(address));
  } catch (error) {
    // The next run tries again.
    module = undefined;
    throw error;
  }
}
