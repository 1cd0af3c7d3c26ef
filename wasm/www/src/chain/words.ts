// The figures of a chain at a moment.

import { table, who } from "../dom.js";
import { duration, grouped, percent } from "../format.js";
import type { ChainLane } from "./boxes.js";
import { SERVICES, type Users } from "./track.js";

/** The share of what ended for users that was answered, in full or not. */
export function success({ full, degraded, failed }: Pick<Users, "full" | "degraded" | "failed">): number {
  const ended = full + degraded + failed;
  return ended > 0 ? (full + degraded) / ended : 1;
}

/** A row for each service and lane. */
export function servicesTable(lanes: readonly ChainLane[], time: number): HTMLTableElement {
  const rows = SERVICES.flatMap((name, service) =>
    lanes.map(({ label, paint, track }) => {
      const sample = track.at(time);
      const total = sample.totals[service];
      const named = who(paint, `${name}, ${label}`);
      if (!total) return [named];
      const { degraded, p99, attempts, wasted } = total;
      const calls = attempts / Math.max(1, sample.users.arrived);
      return [
        named,
        percent(success(total), 1),
        grouped(degraded),
        p99 > 0 ? duration(p99) : "–",
        calls.toFixed(2),
        percent(wasted),
      ];
    }),
  );
  return table(
    "Each service, up to now",
    ["Calls of", "Answered", "… without D", "99 % within", "Attempts a request", "Work for nobody"],
    rows,
  );
}
