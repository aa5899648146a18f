import { fileURLToPath } from "node:url";
import { isEngineFrame } from "@perdure/core/inspect";
import type { ErrorView, Frame, Shown } from "../protocol.ts";

/** Errors with the lines of the user's own code. */

/** Shows an error; `show` shows what it carries. */
export function errorView(error: Error, show: (part: unknown) => Shown): ErrorView {
  const { name, message, stack } = error;
  const errors: unknown = (error as { readonly errors?: unknown }).errors;
  return {
    name: String(name),
    message: String(message),
    frames: framesOf(stack),
    properties: Object.keys(error)
      .filter((key) => key !== "errors" && key !== "cause")
      .map((key) => [key, show((error as unknown as Record<string, unknown>)[key])]),
    cause: error.cause === undefined ? null : show(error.cause),
    errors: Array.isArray(errors) ? errors.map(show) : [],
  };
}

/** The lines of a stack that are places. */
function framesOf(stack: unknown): readonly Frame[] {
  if (typeof stack !== "string") return [];
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => {
      const { fn, place } = partsOf(line.trim());
      const [, file, row, column] = /^(.*?):(\d+):(\d+)$/.exec(place) ?? [];
      return {
        text: line.trim(),
        function: fn,
        file: file === undefined ? null : pathOf(file),
        line: row === undefined ? null : Number(row),
        column: column === undefined ? null : Number(column),
        own:
          file !== undefined &&
          !isEngineFrame(line) &&
          !line.replaceAll("\\", "/").includes("/node_modules/"),
      };
    });
}

/** `at charge (file:///app/billing.ts:12:9)`, or `at file:///app/billing.ts:12:9`. */
function partsOf(text: string): { readonly fn: string | null; readonly place: string } {
  const [, fn, place] = /^at (.*) \((.*)\)$/.exec(text) ?? [];
  if (fn !== undefined && place !== undefined) return { fn, place };
  return { fn: null, place: text.replace(/^at (async )?/, "") };
}

function pathOf(file: string): string {
  try {
    return file.startsWith("file:") ? fileURLToPath(file.replace(/[?#].*$/, "")) : file;
  } catch {
    return file;
  }
}
