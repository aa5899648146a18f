import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { guardProcess } from "@perdure/core/compiled";
import { CommandError } from "./errors.ts";
import { type PlaceOptions, project } from "./place.ts";

/** The user's code: the modules with workflows and steps, compiled as they are loaded. */

/**
 * Loads modules, those of the project's configuration where none are named.
 *
 * @returns their absolute paths
 * @throws {CommandError} where there are none
 */
export async function loadCode(files: readonly string[], options: PlaceOptions): Promise<string[]> {
  const paths = await codeFiles(files, options);
  // The program is the user's, not this command: ids are relative to the project that the first module is in, wherever one stands.
  process.argv[1] = paths[0] as string;
  await import("@perdure/compiler/register");
  guardProcess();
  for (const path of paths) await import(pathToFileURL(path).href);
  return paths;
}

/** The absolute paths of the modules. */
export async function codeFiles(files: readonly string[], options: PlaceOptions): Promise<string[]> {
  const { config, folder } = await project(options);
  const paths =
    files.length > 0
      ? files.map((file) => resolve(file))
      : (config.files ?? []).map((file) => resolve(folder, file));
  if (paths.length === 0) {
    throw new CommandError(
      "Which code? Name the modules with your workflows and steps, or list them as files in perdure.config.ts.",
    );
  }
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) throw new CommandError(`There is no file ${missing}.`);
  return paths;
}
