/** Where the user's code called, for messages. */

const STACK_DEPTH = 8;

/** Of so many calls of one function the place is kept. A stack costs a tenth of all that the core does for a step. */
const PLACES = 1_000;

const kept: WeakMap<object, number> = new WeakMap();

/** Whether the place of one more call that `fn` makes is kept: what is wrong with it shows in its first runs. */
export function keepsPlace(fn: object): boolean {
  const count = kept.get(fn) ?? 0;
  if (count < PLACES) kept.set(fn, count + 1);
  return count < PLACES;
}

/** The place of a call was asked for and not kept: the next ones of `fn` are. */
export function keepPlacesAgain(fn: object): void {
  kept.delete(fn);
}

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
  const frames = stack?.split("\n").slice(1) ?? [];
  return frames.find((frame) => !isOwnFile(frame))?.trim() ?? "";
}

/** Whether a frame, or the name of a file, is this package's or Node's own. In a bundle everything is in one file. */
export function isOwnFile(frame: string): boolean {
  return frame.includes("node:") || frame.includes(OWN_FOLDER);
}

/** As frames name it, which is a URL or a path; `import.meta.url` is not there in every bundle. */
const OWN_FOLDER = ownFolder();

function ownFolder(): string {
  const [, frame = ""] = new Error().stack?.split("\n") ?? [];
  const [, file = "call-site.ts"] = /((?:file:|\/|[A-Za-z]:\\)[^()]*):\d+:\d+\)?$/.exec(frame) ?? [];
  return file.replace(/[^/\\]*$/, "") || file;
}
