import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get, messageOf } from "./api.ts";

/** An answer of the server that a component shows: loading, there, or failed. What was there stays while it is asked for again. */

export interface Resource<Answer> {
  readonly data: ReadonlySignal<Answer | null>;
  readonly error: ReadonlySignal<string | null>;
  readonly loading: ReadonlySignal<boolean>;
  /** Asks again. Calls while a question is under way ask once more when it is answered. */
  readonly reload: () => void;
}

class Loader<Answer> implements Resource<Answer> {
  readonly data: Signal<Answer | null> = signal(null);
  readonly error: Signal<string | null> = signal(null);
  readonly loading: Signal<boolean> = signal(false);
  readonly #url: string;
  readonly #gone = new AbortController();
  #again = false;

  constructor(url: string) {
    this.#url = url;
  }

  reload = (): void => {
    if (this.loading.value) this.#again = true;
    else void this.#load();
  };

  close(): void {
    this.#gone.abort();
  }

  async #load(): Promise<void> {
    this.loading.value = true;
    do {
      this.#again = false;
      try {
        const answer = await get<Answer>(this.#url, this.#gone.signal);
        if (this.#gone.signal.aborted) return;
        this.data.value = answer;
        this.error.value = null;
      } catch (error) {
        if (this.#gone.signal.aborted) return;
        this.error.value = messageOf(error);
      }
    } while (this.#again);
    this.loading.value = false;
  }
}

/** Loads an address of the API while the component is shown, and again when the address is another one. */
export function useResource<Answer>(url: string): Resource<Answer> {
  const loader = useMemo(() => new Loader<Answer>(url), [url]);
  useEffect(() => {
    loader.reload();
    return () => loader.close();
  }, [loader]);
  return loader;
}

/** Calls `act` every so many milliseconds while the component is shown and the page is in front. */
export function useEvery(ms: number, act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") latest.current();
    }, ms);
    return () => clearInterval(timer);
  }, [ms]);
}
