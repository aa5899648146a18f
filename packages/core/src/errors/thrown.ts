/** What is shown of a thrown value that is no `Error`: that may be anything. */

const LONGEST = 200;

/** A thrown value in a few words: a text or an object as JSON. Never throws. */
export function shown(thrown: unknown): string {
  if (typeof thrown === "function") return "a function";
  try {
    const text = typeof thrown === "string" || isObject(thrown) ? JSON.stringify(thrown) : String(thrown);
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  } catch {
    return "an object that is not an Error";
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
