import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get, messageOf } from "./api.ts";

/** An answer of the server that a component shows: loading, there, or failed. What was there stays while it is asked for again. */

export interface Resource<Answer> {
  readonly data: ReadonlySignal<Answer | null>;
  readonly error: ReadonlySignal<string | null>;
  /** Asks again. Calls while a question is under way ask once more when it is answered. */
  readonly reload: () => void;
}

/** How an answer that is there is brought up to date without asking for all of it again. */
export interface Update<Answer> {
  /** Where what has changed is. */
  readonly url: (before: Answer) => string;
  /** Both put together; `null`: that cannot be, and all is asked for again. */
  readonly join: (before: Answer, changes: Answer) => Answer | null;
}

class Loader<Answer> implements Resource<Answer> {
  readonly data: Signal<Answer | null> = signal(null);
  readonly error: Signal<string | null> = signal(null);
  readonly #url: string;
  readonly #update: Update<Answer> | undefined;
  readonly #gone = new AbortController();
  #loading = false;
  #again = false;

  constructor(url: string, update: Update<Answer> | undefined) {
    this.#url = url;
    this.#update = update;
  }

  reload = (): void => {
    if (this.#loading) this.#again = true;
    else void this.#load();
  };

  close(): void {
    this.#gone.abort();
  }

  async #load(): Promise<void> {
    this.#loading = true;
    do {
      this.#again = false;
      try {
        const answer = (await this.#changed()) ?? (await get<Answer>(this.#url, this.#gone.signal));
        if (this.#gone.signal.aborted) return;
        this.data.value = answer;
        this.error.value = null;
      } catch (error) {
        if (this.#gone.signal.aborted) return;
        this.error.value = messageOf(error);
      }
    } while (this.#again);
    this.#loading = false;
  }

  async #changed(): Promise<Answer | null> {
    const before = this.data.value;
    if (before === null || this.#update === undefined) return null;
    const changes = await get<Answer>(this.#update.url(before), this.#gone.signal);
    return this.#update.join(before, changes);
  }
}

/** Loads an address of the API while the component is shown, and again when the address is another one. */
export function useResource<Answer>(url: string, update?: Update<Answer>): Resource<Answer> {
  const loader = useMemo(() => new Loader<Answer>(url, update), [url, update]);
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
