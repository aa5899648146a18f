/** Where the user's code called, for messages. */

const STACK_DEPTH = 8;

/** The stack of the caller's caller, formatted only if somebody asks for it. */
export function captureStack(): { stack?: string } {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  Error.captureStackTrace(holder, captureStack);
  Error.stackTraceLimit = limit;
  return holder;
}

/** The first frame of a stack that is outside of this package, such as `at charge (file:///app/charge.ts:12:20)`. */
export function callSite(stack: string | undefined): string {
  // Frames name files by URL or, under tools that transform modules, by path: a space is `%20` in one, itself in the other.
  const own = new URL(".", import.meta.url).pathname.replace(/interpreter\/$/, "");
  const ownPath = decodeURI(own);
  const frames = stack?.split("\n").slice(1) ?? [];
  return frames.find((frame) => ![own, ownPath, "node:"].some((part) => frame.includes(part)))?.trim() ?? "";
}
