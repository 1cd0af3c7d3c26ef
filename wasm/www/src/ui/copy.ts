// The button that copies the link to what the page shows.

import { html } from "../dom.js";

/** `flush` brings the address up to date. */
export function copyButton(flush: () => void): HTMLButtonElement {
  const button = html("button", { type: "button", id: "copy", "aria-live": "polite" }, "Copy link");
  button.addEventListener("click", () => {
    flush();
    void copy(button);
  });
  return button;
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const label = "Copy link";
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar";
  }
  setTimeout(() => (button.textContent = label), 2000);
}
