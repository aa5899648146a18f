/** The platform's `fetch`, found also where a program has put the durable one in its place. */

type Fetch = typeof globalThis.fetch;

const atLoad: Fetch = globalThis.fetch;
let durable: Fetch | undefined;

/** Says which function must not be taken for the platform's. */
export function setDurableFetch(fetch: Fetch): void {
  durable = fetch;
}

/** The platform's, or what a test has put in its place. */
export function plainFetch(...args: Parameters<Fetch>): ReturnType<Fetch> {
  const current = globalThis.fetch;
  return (current === durable ? atLoad : current)(...args);
}
