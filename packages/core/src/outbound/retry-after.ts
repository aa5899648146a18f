/** The response header `Retry-After`. */

/** How long the other side asks to wait, in ms from `now`; `undefined` if it does not say. */
export function retryAfterMs({ headers }: Response, now: number): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // An HTTP date: every form of it has the name of a month.
  const at = /[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
