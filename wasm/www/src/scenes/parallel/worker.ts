// One worker: the module on the memory that all of them share.

import init, { account, deal, hashRounds, work } from "../../pkg/threads.js";
import type { Answer, Question } from "./crew.js";

/** The dispatcher of messages lives in the page; here is what it may ask for. */
async function answer(question: Question): Promise<Answer> {
  switch (question.do) {
    case "begin": {
      const { module, memory } = question;
      const instance = await init({ module_or_path: module, ...(memory ? { memory } : {}) });
      return { memory: instance.memory };
    }
    case "measure":
      return { perMilli: measure() };
    case "deal":
      deal(question.seed, question.workers, question.half, question.tasks);
      return {};
    case "work": {
      const log = work(question.worker);
      return { log, account: account(question.worker), origin: performance.timeOrigin };
    }
  }
}

/** How many rounds of hashing this machine does in a millisecond, at its best of several tries. */
function measure(): number {
  let rounds = 10_000;
  let best = 0;
  for (let tries = 0; tries < 8; tries++) {
    const since = performance.now();
    hashRounds(rounds);
    const took = performance.now() - since;
    if (took < 1) {
      // Too short for this clock.
      rounds *= 4;
      tries -= 1;
    } else best = Math.max(best, rounds / took);
  }
  return best;
}

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  answer(data).then(
    (answer) => postMessage(answer),
    (error: unknown) => postMessage({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
