import { type ReadonlySignal, signal } from "@preact/signals";

/** Whether the page is as narrow as a phone. The style sheets have the same width. */

const query = matchMedia("(max-width: 760px)");
const phone = signal(query.matches);
query.addEventListener("change", () => {
  phone.value = query.matches;
});

const narrow: ReadonlySignal<boolean> = phone;

/** Draws the component anew when it changes. */
export function usePhone(): boolean {
  return narrow.value;
}
