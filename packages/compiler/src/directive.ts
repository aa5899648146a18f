/** The words themselves: which text is a directive, which is a slip of the pen, which is neither. */

/** The two kinds of marked function. */
export type Kind = "step" | "workflow";

/** The directive that makes a function this kind. */
export function directiveOf(kind: Kind): string {
  return `use ${kind}`;
}

/** The kind that a string literal's raw inner text stands for, if it is a directive exactly. */
export function exactKind(raw: string): Kind | undefined {
  return raw === "use step" ? "step" : raw === "use workflow" ? "workflow" : undefined;
}

/**
 * Whether a text was probably meant as a directive. Case and everything but letters are ignored; then one slip (a
 * letter too many, missing, wrong, or two swapped) from `use step`, or two from `use workflow`, still count.
 */
export function resemblesDirective(text: string): boolean {
  const letters = text.toLowerCase().replace(/[^a-z]/g, "");
  return within(letters, "usestep", 1) || within(letters, "useworkflow", 2);
}

// Every short quoted text; the look-ahead lets matches overlap, so an apostrophe in a comment cannot hide what follows it.
const quotedTexts = /["'`](?=([^"'`\n]{5,40})["'`])/g;

/** Whether a file can contain a directive or a misspelled one: a cheap look that spares parsing the others. */
export function mayContainDirective(code: string): boolean {
  for (const [, text] of code.matchAll(quotedTexts)) {
    if (text !== undefined && resemblesDirective(withoutEscapes(text))) return true;
  }
  return false;
}

/** Whether a text contains a directive exactly as it is written. */
export function containsDirective(code: string): boolean {
  return /(["'])use (?:step|workflow)\1/.test(code);
}

/** Undoes `\x20` and `\u0020`, which a directive must not contain but a misspelled one may. */
function withoutEscapes(text: string): string {
  return text.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4}))/gi, (_, x?: string, u?: string) =>
    String.fromCharCode(Number.parseInt(x ?? u ?? "0", 16)),
  );
}

/** Whether the edit distance, a swap of neighbours counting one, is at most `limit`. */
function within(text: string, target: string, limit: number): boolean {
  if (Math.abs(text.length - target.length) > limit) return false;
  let beforeLast: number[] = [];
  let last = Array.from({ length: target.length + 1 }, (_, column) => column);
  for (let row = 1; row <= text.length; row++) {
    const current = [row];
    for (let column = 1; column <= target.length; column++) {
      const same = text[row - 1] === target[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      if (text[row - 1] === target[column - 2] && text[row - 2] === target[column - 1]) {
        cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, target.length) <= limit;
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
