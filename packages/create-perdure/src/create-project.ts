/** Writes a new program: the files of its template, its World's module, and a manifest with the versions of this package. */

import { cp, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TEMPLATES, type TemplateName } from "./templates.ts";
import { WORLDS, type WorldChoice, type WorldName } from "./worlds.ts";

/** What to write, and where. */
export interface ProjectOptions {
  /** The folder of the program; it is made, and must be empty if it is there. */
  readonly directory: string;
  readonly template: TemplateName;
  /** Where its runs are kept. */
  readonly world: WorldName;
}

/** A program that was written. */
export interface NewProject {
  readonly directory: string;
  /** The name in its `package.json`. */
  readonly name: string;
}

/** A program cannot be written as asked; the message says why, and what to do. */
export class CreateError extends Error {
  override readonly name = "CreateError";
}

const templates = fileURLToPath(new URL("../templates/", import.meta.url));
const manifest = new URL("../package.json", import.meta.url);

/** Files that npm would not pack, or would treat as its own, under the names that they have in the program. */
const RENAMED: Readonly<Record<string, string>> = {
  _gitignore: ".gitignore",
  "_package.json": "package.json",
};

/**
 * Writes a program. Nothing is installed.
 *
 * @throws {CreateError} if the folder has files, or there is no such template or World
 * @example
 * await createProject({ directory: "shop", template: "hono", world: "postgres" });
 */
export async function createProject(options: ProjectOptions): Promise<NewProject> {
  const directory = resolve(options.directory);
  check("template", options.template, TEMPLATES);
  check("world", options.world, WORLDS);
  await refuseFiles(directory);
  const name = nameOf(directory);
  const world = WORLDS[options.world];
  await mkdir(directory, { recursive: true });
  for (const folder of ["common", options.template]) {
    await cp(join(templates, folder), directory, { recursive: true });
  }
  for (const [packed, own] of Object.entries(RENAMED))
    await rename(join(directory, packed), join(directory, own));
  await writeFile(join(directory, "src/perdure.ts"), world.module);
  if (world.address !== undefined) {
    await writeFile(join(directory, ".env"), `${world.address.variable}=${world.address.example}\n`);
  }
  await writeManifest(directory, name, world);
  return { directory, name };
}

function check(what: string, name: string, known: Readonly<Record<string, unknown>>): void {
  if (Object.hasOwn(known, name)) return;
  throw new CreateError(`There is no ${what} "${name}": use ${Object.keys(known).join(", ")}.`);
}

/** What may be in the folder of a new program: version control and the traces of file managers. */
const HARMLESS = new Set([".git", ".DS_Store", ".idea", ".vscode"]);

async function refuseFiles(directory: string): Promise<void> {
  const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new CreateError(`${directory} cannot be used (${error.code}): name another folder.`);
  });
  const found = files.find((file) => !HARMLESS.has(file));
  if (found === undefined) return;
  throw new CreateError(`${directory} is not empty: it has ${found}. Name a new folder, or empty this one.`);
}

/** The folder's name, as npm takes names. */
function nameOf(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-_.~]+/g, "-")
    .replace(/^[-_.]+|-+$/g, "");
  return name === "" ? "perdure-app" : name;
}

async function writeManifest(directory: string, name: string, world: WorldChoice): Promise<void> {
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  const file = join(directory, "package.json");
  const text = await readFile(file, "utf8");
  // Where there is no .env, Node would say at every start that it has not found it.
  const fitting = world.address === undefined ? text.replaceAll("--env-file-if-exists=.env ", "") : text;
  const own = JSON.parse(fitting) as { dependencies: Record<string, string> };
  const ours = ["perdure", ...(world.package === undefined ? [] : [world.package])];
  const dependencies = {
    ...own.dependencies,
    ...Object.fromEntries(ours.map((each) => [each, `^${version}`])),
  };
  const sorted = Object.fromEntries(Object.entries(dependencies).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(file, `${JSON.stringify({ name, ...own, dependencies: sorted }, null, 2)}\n`);
}
