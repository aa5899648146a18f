import { isOwnFile } from "../call-site.ts";

/** Stacks of errors as the user of the library reads them: which lines are of the user's own code. */

/** Where packages of ours are, as stacks name them. */
const OURS = ["/node_modules/@perdure/", "/node_modules/perdure/"];

/** Whether a line of a stack is a frame of the engine's or of Node's: it tells a user nothing. */
export function isEngineFrame(line: string): boolean {
  if (!/^\s+at /.test(line)) return false;
  const path = line.replaceAll("\\", "/");
  return isOwnFile(line) || OURS.some((place) => path.includes(place));
}

/** The stack of an error without the frames of the engine and of Node; its name and message where it has none. */
export function userStack(error: Error): string {
  const lines = (error.stack ?? `${error.name}: ${error.message}`).split("\n");
  return lines.filter((line) => !isEngineFrame(line)).join("\n");
}
