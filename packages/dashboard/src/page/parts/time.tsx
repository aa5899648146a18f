import { type ReadonlySignal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { exactTime, fromNow, lengthOf, shortTime } from "../format.ts";

/** Times as people say them, which go on while they are looked at. */

const seconds = signal(Date.now());
/** How far the server's clock is ahead of this one. */
let ahead = 0;

setInterval(() => {
  if (document.visibilityState === "visible") seconds.value = Date.now() + ahead;
}, 1_000);

/** The server's time, each second. */
export const now: ReadonlySignal<number> = seconds;

/** Takes over the server's clock. */
export function setServerTime(time: number): void {
  ahead = time - Date.now();
  seconds.value = time;
}

/** `5 min ago`, with the exact time on pointing at it. */
export function Ago({ at }: { readonly at: number | null }): JSX.Element {
  if (at === null) return <span class="muted">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
      {fromNow(at, now.value)}
    </time>
  );
}

/** How long it took, or takes so far. */
export function Took(props: {
  readonly from: number | null;
  readonly to: number | null;
  readonly open: boolean;
}): JSX.Element {
  const { from, to, open } = props;
  if (from === null || (to === null && !open)) return <span class="muted">–</span>;
  return <span class={open ? "going-on" : ""}>{lengthOf((to ?? now.value) - from)}</span>;
}

/** The exact time, with how long ago that is. */
export function Moment({ at }: { readonly at: number | null }): JSX.Element {
  if (at === null) return <span class="muted">not known</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
      {shortTime(at, now.value)} <span class="muted">{fromNow(at, now.value)}</span>
    </time>
  );
}
