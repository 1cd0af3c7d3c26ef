// The knobs of the tasks: for each how long it runs, how often, and by when.

import { html } from "../../dom.js";
import type { Knob, Value } from "../../ui/knobs.js";
import { FEWEST, MOST, NAMES, PERIOD, WCET, type Task } from "./params.js";

const FIELDS = [
  { field: "wcet", label: "runs for", high: WCET },
  { field: "period", label: "every", high: PERIOD },
  { field: "deadline", label: "within", high: PERIOD },
] as const;

/** What a task is that the reader adds. */
const ANOTHER: Task = { wcet: 1, period: 10, deadline: 10 };

export function tasksKnob(change: (value: Value) => void): Knob {
  let tasks: readonly Task[] = [];
  const rows = html("div", { class: "tasks" });
  const add = html("button", { type: "button", id: "add-task" }, "Add a task");
  const take = html("button", { type: "button", id: "take-task" }, "Take the last");
  add.addEventListener("click", () => change([...tasks, ANOTHER]));
  take.addEventListener("click", () => change(tasks.slice(0, -1)));

  function row(index: number): HTMLFieldSetElement {
    const name = NAMES[index] ?? "";
    const fields = FIELDS.map(({ field, label, high }) => {
      const id = `${field}-${name}`;
      const input = html("input", { id, type: "range", min: 1, max: high, step: 1 });
      input.setAttribute("aria-label", `Task ${name} ${label}`);
      // The form has parameters of its own: this is a part of one of them.
      input.addEventListener("input", (event) => {
        event.stopPropagation();
        change(tasks.map((task, i) => (i === index ? turned(task, field, Number(input.value)) : task)));
      });
      const output = html("output", { id: `${id}-value`, for: id });
      return html("label", { for: id }, html("span", {}, label), input, output);
    });
    const legend = html("legend", {}, html("i", { class: `chip chip-${index}` }), ` Task ${name}`);
    return html("fieldset", { class: "task" }, legend, ...fields);
  }

  return {
    element: html(
      "div",
      { id: "tasks", role: "group", "aria-label": "Tasks" },
      rows,
      html("div", { class: "pair" }, add, take),
    ),
    show: (value) => {
      tasks = value as readonly Task[];
      while (rows.children.length > tasks.length) rows.lastElementChild?.remove();
      while (rows.children.length < tasks.length) rows.append(row(rows.children.length));
      tasks.forEach((task, i) => {
        for (const { field } of FIELDS) {
          const id = `${field}-${NAMES[i] ?? ""}`;
          const input = rows.querySelector<HTMLInputElement>(`#${id}`);
          const output = rows.querySelector<HTMLOutputElement>(`#${id}-value`);
          if (input) input.value = String(task[field]);
          input?.setAttribute("aria-valuetext", `${task[field]} milliseconds`);
          if (output) output.textContent = `${task[field]}\u00a0ms`;
        }
      });
      add.disabled = tasks.length >= MOST;
      take.disabled = tasks.length <= FEWEST;
    },
    read: () => tasks,
  };
}

/** A deadline that was the period stays the period, and none is beyond it. */
function turned(task: Task, field: keyof Task, value: number): Task {
  const next = { ...task, [field]: value };
  if (field === "period" && (task.deadline === task.period || next.deadline > value)) next.deadline = value;
  if (field === "deadline") next.deadline = Math.min(value, next.period);
  return next;
}
