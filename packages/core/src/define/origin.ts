import { isOwnFile } from "../call-site.ts";

/** Where a function was made a step or a workflow: tells a module that is loaded again from a second function. */

export interface Origin {
  /** The function's text. */
  readonly text: string;
  /** Its module, without the query that makes a loader load it again. */
  readonly file: string;
  /** A digest of the module's text. */
  readonly script: string;
  /** Line and column in the module as it was executed. */
  readonly position: string;
  /** The place as stacks show it. */
  readonly place: string;
  /** It was made by {@link asCopy}. */
  readonly copy: boolean;
}

let copying = false;

/**
 * Defines functions of a build that may hold one module several times: two of one id are then the same, and the last one counts.
 * Their texts may differ, as each bundle has names of its own for what it imports.
 */
export function asCopy<T>(define: () => T): T {
  const before = copying;
  copying = true;
  try {
    return define();
  } finally {
    copying = before;
  }
}

/** The origin of a function for which `define` was called from there. */
export function originOf(fn: (...args: never[]) => unknown, define: (...args: never[]) => unknown): Origin {
  const [site, frame] = callSiteOf(define);
  const file = (site?.getScriptNameOrSourceURL() ?? "").replace(/[?#].*$/, "");
  const position = `${site?.getLineNumber()}:${site?.getColumnNumber()}`;
  const text = Function.prototype.toString.call(fn);
  return {
    // A bound function shows no text of its own.
    text: text.endsWith("{ [native code] }") ? `${file}:${position}` : text,
    file,
    script: site?.getScriptHash?.() ?? "",
    position,
    copy: copying,
    get place() {
      return frame();
    },
  };
}

/** Whether one is the other's module loaded again, as it was or edited, or another copy of it. */
export function isReload(one: Origin, other: Origin): boolean {
  if (one.copy && other.copy) return true;
  if (one.file !== other.file || one.file === "") return false;
  return one.script !== other.script || (one.position === other.position && one.text === other.text);
}

/** The place outside this package from which `define` was called, and what writes it out. */
function callSiteOf(
  define: (...args: never[]) => unknown,
): [NodeJS.CallSite | undefined, place: () => string] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const sites: { stack?: unknown } = {};
  // Written out, with source maps, only if somebody reads it.
  const text: { stack?: string } = {};
  try {
    Error.stackTraceLimit = FRAMES;
    Error.captureStackTrace(text, define);
    Error.prepareStackTrace = (_, frames) => frames;
    Error.captureStackTrace(sites, define);
    const frames = sites.stack as NodeJS.CallSite[];
    // In a bundle nothing is outside.
    const index = Math.max(
      frames.findIndex((site) => !isOwnFile(site.getFileName() ?? "")),
      0,
    );
    const place = (): string => String(text.stack).split("\n")[index + 1]?.trim().replace(/^at /, "") ?? "";
    return [frames[index], place];
  } catch {
    // A frozen Error.
    return [undefined, () => "an unknown place"];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const FRAMES = 8;
