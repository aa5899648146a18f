/** The value that the share `p` (0 to 1) of the samples does not exceed: the nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
  if (value === undefined) {
    throw new TypeError("A percentile needs at least one sample.");
  }
  return value;
}

/** Rounds to so many decimals, for printing. */
export function round(value: number, decimals = 3): number {
  return Number(value.toFixed(decimals));
}
