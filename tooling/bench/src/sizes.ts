/** How much work each figure is taken from. */
export interface Sizes {
  readonly throughput: { readonly runs: number; readonly steps: number };
  readonly latency: { readonly steps: number };
  readonly long: { readonly steps: number };
  readonly fanOut: { readonly steps: number };
  /** Steps of the replayed run: its journal has two events for each, and four more before it completes. */
  readonly replay: { readonly steps: number };
  readonly raw: { readonly commits: number; readonly batches: number };
  readonly perStep: { readonly steps: number };
  /** Locks that nobody else wants, and runs that wait for one. */
  readonly lock: { readonly locks: number; readonly waiting: number };
}

/**
 * The sizes of the benchmark, times `scale`.
 *
 * @throws {TypeError} for a scale that is not above 0 and at most 1
 */
export function sizesAt(scale: number): Sizes {
  if (!(scale > 0 && scale <= 1)) {
    throw new TypeError(`--scale is a number above 0 and at most 1, not ${scale}.`);
  }
  const part = (whole: number): number => Math.max(10, Math.round(whole * scale));
  return {
    throughput: { runs: part(500), steps: 10 },
    latency: { steps: part(100) },
    long: { steps: part(10_000) },
    fanOut: { steps: part(1000) },
    replay: { steps: part(4998) },
    raw: { commits: part(1000), batches: part(200) },
    perStep: { steps: part(1000) },
    lock: { locks: part(200), waiting: part(500) },
  };
}
