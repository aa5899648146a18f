import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/**
 * Server-sent events, as long as a component is shown and its tab is in front: over HTTP/1.1 a browser has few connections for all tabs
 * of a server. The browser connects again by itself.
 */

/** Whether changes arrive: `connecting` also while a broken connection is made anew. */
export type LiveState = "connecting" | "live" | "ended";

/** What to do with each event by its name; the data is JSON. */
export type Handlers = Readonly<Record<string, (data: never) => void>>;

/** Whether the list or run that is shown is live; the head of the page tells it. */
export const liveState: Signal<LiveState> = signal("ended");

const RECONNECT = 3_000;

/** The events after which there are no more. */
const LAST = ["end", "failed", "gone"];

/** Listens at an address while the component is shown; `null` listens to nothing. Tells the state to `state`. */
export function useLive(url: string | null, handlers: Handlers, state?: Signal<LiveState>): void {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    if (url === null) return;
    let events: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const close = (): void => {
      clearTimeout(timer);
      events?.close();
    };
    const open = (): void => {
      close();
      events = new EventSource(url);
      if (state !== undefined) state.value = "connecting";
      events.onopen = () => {
        if (state !== undefined) state.value = "live";
      };
      events.onerror = () => {
        if (state !== undefined) state.value = "connecting";
        // The browser gives up after an answer that is not a stream, such as 502 while the server starts anew.
        if (events?.readyState === EventSource.CLOSED) timer = setTimeout(open, RECONNECT);
      };
      for (const name of Object.keys(latest.current)) {
        events.addEventListener(name, (event) => {
          latest.current[name]?.(JSON.parse(event.data || "null") as never);
          if (!LAST.includes(name)) return;
          isOver = true;
          close();
          if (state !== undefined) state.value = "ended";
        });
      }
    };
    const follow = (): void => {
      if (isOver) return;
      if (document.visibilityState === "visible") open();
      else close();
    };
    follow();
    document.addEventListener("visibilitychange", follow);
    return () => {
      document.removeEventListener("visibilitychange", follow);
      close();
      if (state !== undefined) state.value = "ended";
    };
  }, [url, state]);
}
