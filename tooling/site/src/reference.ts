// The API reference: the doc comments of what users import, one page for each entry point.

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { Application, type TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";

/** Packages whose entry points users import. */
const PACKAGES = [
  "perdure",
  "world-sqlite",
  "world-postgres",
  "world-redis",
  "world-mongodb",
  "world-testkit",
  "vitest",
  "simulator",
  "dashboard",
  "otel",
] as const;

/** Entry points whose code is for the compiler's output only. */
const INTERNAL = new Set(["./compiled", "./compiled-copies", "./package.json"]);

/** Of the core, what authors of Worlds import; the rest reaches users through `perdure`. */
const WORLD = ["packages/core/dist/world.d.ts", "@perdure/core/world"] as const;

/** Writes the pages into a folder, from the packages' built declarations. Gives the entry points, each the path of its page. */
export async function writeReference(root: string, out: string): Promise<readonly string[]> {
  const [file, specifier] = WORLD;
  const specifiers = new Map([
    ...PACKAGES.flatMap((folder) => entriesOf(join(root, "packages", folder))),
    [join(root, file), specifier] as const,
  ]);
  const options: TypeDocOptions & PluginOptions = {
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: [...specifiers.keys()],
    tsconfig: join(root, "tooling/site/tsconfig.reference.json"),
    out,
    name: "API reference",
    readme: "none",
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useHTMLAnchors: true,
    hideGroupHeadings: false,
    router: "module",
    entryFileName: "index",
    logLevel: "Error",
    validation: false,
    skipErrorChecking: true,
  };
  const app = await Application.bootstrapWithPlugins(options as TypeDocOptions);
  const project = await app.convert();
  if (project === undefined)
    throw new Error("typedoc could not read the declarations: build the packages first");
  // A module is named after the path of its declarations; users know it by what they import.
  for (const module of project.children ?? []) {
    const file = module.sources?.[0]?.fullFileName ?? "";
    module.name = specifiers.get(file) ?? module.name;
  }
  // Where a declaration stands in `dist` helps nobody.
  for (const reflection of Object.values(project.reflections))
    delete (reflection as { sources?: unknown }).sources;
  await app.generateOutputs(project);
  return [...specifiers.values()];
}

/** The declarations of each entry point, and how it is imported. */
function entriesOf(dir: string): (readonly [file: string, specifier: string])[] {
  const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Manifest;
  return Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    INTERNAL.has(subpath) || typeof target === "string"
      ? []
      : [[join(dir, target.types), posix.join(manifest.name, subpath)]],
  );
}

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}
