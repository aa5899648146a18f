import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { configure, getWorld } from "@perdure/core/runtime";
import type { World } from "@perdure/core/world";
import { sqliteWorld } from "@perdure/world-sqlite";
import type { PerdureConfig } from "../config.ts";
import { CommandError } from "./errors.ts";

/** Where the runs are that a command is about: by `--url`, by the project's `perdure.config.ts`, or the default SQLite file. */

/** The options of every command that opens a store. */
export interface PlaceOptions {
  readonly url?: string;
  readonly config?: string;
  readonly namespace?: string;
  readonly schema?: string;
}

/** A project's configuration, and the folder that it is in. */
export interface Project {
  readonly config: PerdureConfig;
  readonly folder: string;
}

const CONFIG_FILES = ["ts", "mts", "js", "mjs"].map((ending) => `perdure.config.${ending}`);

/** Reads `perdure.config.ts` in the working directory, or the file that `--config` names. */
export async function project({ config: named }: Pick<PlaceOptions, "config">): Promise<Project> {
  const file =
    named === undefined
      ? CONFIG_FILES.map((name) => resolve(name)).find((path) => existsSync(path))
      : resolve(named);
  if (file === undefined) return { config: {}, folder: process.cwd() };
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`);
  const module = (await import(pathToFileURL(file).href)) as { readonly default?: PerdureConfig };
  if (typeof module.default !== "object" || module.default === null) {
    throw new CommandError(
      `${file} has no default export. Write: export default defineConfig({ world, files: [...] })`,
    );
  }
  return { config: module.default, folder: dirname(file) };
}

/** Whether a command only works on a store that is there, or may make one. */
export type Making = "must exist" | "may be made";

/** The World that the options mean, open, as that of this process. */
export async function openPlace(options: PlaceOptions, making: Making = "must exist"): Promise<World> {
  const plain = await worldOf(options, making);
  const { config } = await project(options);
  const encryption = config.encryption ?? config.worker?.encryption;
  // No worker comes along: a command that looks at runs must not execute them.
  configure({ world: plain, worker: false, ...(encryption !== undefined && { encryption }) });
  const world = getWorld();
  await world.open();
  return world;
}

async function worldOf(options: PlaceOptions, making: Making): Promise<World> {
  const url = options.url ?? process.env.PERDURE_WORLD_URL;
  if (url !== undefined && url !== "") return await worldOfUrl(url, options, making);
  const { config } = await project(options);
  if (config.world !== undefined)
    return typeof config.world === "function" ? await config.world() : config.world;
  return await worldOfUrl(process.env.PERDURE_SQLITE_PATH ?? ".perdure/perdure.db", options, making);
}

async function worldOfUrl(url: string, { namespace, schema }: PlaceOptions, making: Making): Promise<World> {
  const common = { ...(namespace !== undefined && { namespace }) };
  const path = sqlitePath(url);
  if (path !== null) {
    if (making === "must exist" && path !== ":memory:" && !existsSync(path)) {
      throw new CommandError(
        `There is no database at ${path}. Say where the runs are with --url sqlite:…, postgres://…, redis://… or mongodb://…, or in perdure.config.ts.`,
      );
    }
    return sqliteWorld({ path, ...common });
  }
  if (/^postgres(ql)?:\/\//i.test(url)) {
    const { postgresWorld } = await load<{ postgresWorld(options: object): World }>(
      "@perdure/world-postgres",
    );
    // What looks must not make tables in a database that has nothing to do with it.
    const migrate = making === "may be made";
    return postgresWorld({ url, migrate, ...common, ...(schema !== undefined && { schema }) });
  }
  if (/^rediss?:\/\//i.test(url)) {
    const { redisWorld } = await load<{ redisWorld(options: object): World }>("@perdure/world-redis");
    return redisWorld({ url, ...common });
  }
  if (/^mongodb(\+srv)?:\/\//i.test(url)) {
    const { mongodbWorld } = await load<{ mongodbWorld(options: object): World }>("@perdure/world-mongodb");
    return mongodbWorld({ url, ...common });
  }
  throw new CommandError(
    "The URL belongs to no World: give one like sqlite:app.db, postgres://user@host/database, redis://host or mongodb://host/database.",
  );
}

/** Credentials, or parameters: the path of no file that anybody means, and with a password in it. */
const CREDENTIALS = /^[^/\\]*:[^/\\]*@|\?.*=/;

/** The file that a URL of SQLite names, or a plain path; `null` for other URLs. */
function sqlitePath(url: string): string | null {
  if (CREDENTIALS.test(url.replace(/^(sqlite|file):(\/\/)?/i, ""))) return null;
  if (/^file:\/\//i.test(url)) return fileURLToPath(url);
  const named = /^(?:sqlite|file):(?:\/\/)?(.+)$/i.exec(url)?.[1];
  if (named !== undefined) return named === ":memory:" ? named : resolve(named);
  return /^\w[\w+.-]*:\/\//.test(url) ? null : resolve(url);
}

/**
 * Imports a package of the user's project: the one of the working directory, not of where this command is installed.
 *
 * @throws {CommandError} that names the package to install
 */
export async function load<Package>(name: string): Promise<Package> {
  let file: string;
  try {
    file = createRequire(join(process.cwd(), "package.json")).resolve(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new CommandError(`${name} is not installed in ${process.cwd()}. Run: npm install ${name}`, {
      cause: error,
    });
  }
  return await import(pathToFileURL(file).href);
}
