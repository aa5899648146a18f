import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
const packages = [
  "core",
  "compiler",
  "http",
  "simulator",
  "transactions",
  "world-sqlite",
  "perdure",
] as const;

/** An empty project into which npm has installed the packages as they are packed. */
export async function packedProject(
  dependencies: (tarball: (name: string) => string) => Readonly<Record<string, string>>,
): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "perdure packed "));
  const tarballs = join(project, "tarballs");
  await mkdir(tarballs);
  for (const folder of packages) {
    await run("pnpm", ["pack", "--pack-destination", tarballs], { cwd: join(root, "packages", folder) });
  }
  const files = await readdir(tarballs);
  const tarball = (name: string): string => {
    const file = files.find((candidate) => new RegExp(`^${name}-\\d`).test(candidate));
    if (file === undefined) throw new Error(`No tarball of ${name} among ${files.join(", ")}`);
    return `file:./tarballs/${file}`;
  };
  const wanted = dependencies(tarball);
  const parts = packages.filter((folder) => folder !== "perdure");
  const overrides = parts
    .map((folder) => [`@perdure/${folder}`, tarball(`perdure-${folder}`)] as const)
    .filter(([name]) => wanted[name] === undefined);
  const manifest = {
    name: "scratch",
    private: true,
    type: "module",
    dependencies: wanted,
    overrides: Object.fromEntries(overrides),
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: project });
  return project;
}

/** An environment in which nothing of this repository is found. */
export function alone(): NodeJS.ProcessEnv {
  const dirs = (process.env.PATH ?? "").split(delimiter).filter((dir) => !dir.startsWith(root));
  return { ...process.env, NODE_PATH: "", PATH: dirs.join(delimiter) };
}
