// What the last change did, in words and as a table.

import { withBar } from "../../chart/bar.js";
import { html, table } from "../../dom.js";
import { grouped, listed, percent } from "../../format.js";
import { LABELS, type Change } from "./params.js";
import { named, NONE, type Plan } from "./plan.js";

export function question(change: Change | undefined): string {
  const node = change ? `node ${LABELS[change.id]}` : "";
  switch (change?.what) {
    case "add":
      return `${upper(node)} comes. Which keys does it get?`;
    case "remove":
      return `${upper(node)} leaves. Which keys must move?`;
    case "weight":
      return `${upper(node)} now has weight ${change.weight}. Which keys follow?`;
    case "drain":
      return `${upper(node)} drains. Who takes its keys?`;
    case "resume":
      return `${upper(node)} is back. Does it get its own keys?`;
    default:
      return "A node leaves. Which keys must move?";
  }
}

export function sentence(plan: Plan, change: Change | undefined): string {
  const spread = `The fullest node holds ${plan.peak.toFixed(2)} times its fair share, the emptiest ${plan.least.toFixed(2)} times.`;
  const owned = plan.nodes.some((node) => node.keys > 0);
  if (!owned) return "No node has weight: no key has an owner.";
  if (!change) return `${spread} Remove a node, add one or drag a weight to see what moves.`;
  const moved =
    plan.moved === 0
      ? "No key moved"
      : `${grouped(plan.moved)} of ${grouped(plan.keys)} keys moved (${percent(plan.moved / plan.keys, 1)})`;
  const needless =
    plan.needless === 0
      ? "none of them needlessly"
      : `${grouped(plan.needless)} of them needlessly, between nodes that neither lost nor gained weight`;
  return (
    `To ${named(change)}: ${moved}; with perfect shares it would be ${grouped(plan.ideal)}` +
    `${plan.moved === 0 ? "" : `; ${needless}`}. ${spread}`
  );
}

/** Who holds how much, against the fair share. */
export function shares(plan: Plan): HTMLTableElement {
  const most = Math.max(1, ...plan.nodes.map((node) => Math.max(node.keys, node.fair)));
  const rows = plan.nodes.map((node) => {
    const change = node.keys - node.before;
    return [
      html(
        "span",
        { class: "who", "data-node": LABELS[node.id] ?? "" },
        html("i", { class: `chip chip-${node.id}` }),
        ` ${LABELS[node.id]}${node.member ? (node.draining ? " (draining)" : "") : " (gone)"}`,
      ),
      String(node.member ? node.weight : "–"),
      withBar(grouped(node.keys), node.keys / most, node.fair / most),
      grouped(node.fair),
      change === 0 ? "–" : `${change > 0 ? "+" : "−"}${grouped(Math.abs(change))}`,
    ];
  });
  return table("Keys of each node", ["Node", "Weight", "Keys", "Fair share", "Change"], rows);
}

/** Which keys went where. */
export function ways(plan: Plan): HTMLElement {
  if (plan.moves.length === 0) return html("p", {}, "Nothing moved.");
  const name = (id: number) => (id === NONE ? "nowhere" : (LABELS[id] ?? String(id)));
  const from = [...new Set(plan.moves.map((move) => move.from))];
  const rows = from.map((from) => {
    const moves = plan.moves.filter((move) => move.from === from);
    const total = moves.reduce((sum, { count }) => sum + count, 0);
    return [
      name(from),
      grouped(total),
      listed(moves.map(({ to, count }) => `${grouped(count)} to ${name(to)}`)),
    ];
  });
  const ways = table("Where the keys went", ["From", "Keys", "To"], rows);
  ways.classList.add("ways");
  return ways;
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
