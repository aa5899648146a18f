// The packages as they are published, for tests that install them.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const packages = join(import.meta.dirname, "../../packages");
const OURS = "@perdure/";

/** What `perdure` installs: the folders of it and of the packages of ours that it depends on. */
export const PERDURE: readonly string[] = [...withDependencies("perdure", new Set())];

function withDependencies(folder: string, found: Set<string>): Set<string> {
  if (found.has(folder)) return found;
  found.add(folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(packages, folder, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    if (name.startsWith(OURS)) withDependencies(name.slice(OURS.length), found);
  }
  return found;
}

/** Packs folders of `packages/` into a folder: the tarball of each package, by its name. */
export async function pack(folders: readonly string[], into: string): Promise<Record<string, string>> {
  await mkdir(into, { recursive: true });
  const tarballs: Record<string, string> = {};
  for (const folder of folders) {
    const cwd = join(packages, folder);
    const { name } = JSON.parse(await readFile(join(cwd, "package.json"), "utf8"));
    await run("pnpm", ["pack", "--pack-destination", into], { cwd });
    const stem = name.replace(/^@/, "").replace("/", "-");
    const file = (await readdir(into)).find((each) => new RegExp(`^${stem}-\\d`).test(each));
    if (file === undefined) throw new Error(`pnpm pack made no tarball of ${name}`);
    tarballs[name] = join(into, file);
  }
  return tarballs;
}

/** A package that is published. */
export interface Published {
  readonly folder: string;
  readonly name: string;
  /** The file of its main entry point. */
  readonly main: string;
}

/** Every package that is published. */
export function published(): Published[] {
  return readdirSync(packages).map((folder) => {
    const { name, exports } = JSON.parse(readFileSync(join(packages, folder, "package.json"), "utf8"));
    return { folder, name, main: join(packages, folder, exports["."].default) };
  });
}
