import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { check, type Example, examplesOf, type Surroundings } from "../examples.ts";

const root = join(import.meta.dirname, "../../..");
const pages = ["README.md", "docs/**/*.md", "packages/*/README.md", "packages/*/src/**/*.ts"];
const examples = globSync(pages, { cwd: root }).flatMap((file) => examplesOf(join(root, file)));

const wrong = (line: number, code: string): Example => ({ file: join(root, "wrong.md"), line, code });
const wrongOnes = [
  wrong(7, 'import { strat } from "perdure/api";\nawait strat();'),
  wrong(20, "const run = await start(chargeCustomer, ['cus_1', 4200]);\nrun.outcome;"),
];

let found: readonly string[] = [];

// One program for all: most of its time goes to the libraries.
beforeAll(() => {
  found = check([...examples, ...wrongOnes], surroundings()).map((line) => line.replace(`${root}/`, ""));
}, 120_000);

test("what documents and doc comments show as TypeScript compiles", () => {
  expect(examples.length).toBeGreaterThan(30);
  expect(found.filter((line) => !line.startsWith("wrong.md:"))).toEqual([]);
});

test("an example that uses what is not there is found, with its place", () => {
  expect(found.filter((line) => line.startsWith("wrong.md:"))).toEqual([
    expect.stringMatching(/:8 .* no exported member named 'strat'/),
    expect.stringMatching(/:22 Property 'outcome' does not exist on type 'Run</),
  ]);
});

/** What is built, and what a reader is taken to have. */
function surroundings(): Surroundings {
  const paths: Record<string, string[]> = {};
  const specifiers = new Map<string, string>();
  for (const folder of readdirSync(join(root, "packages"))) {
    const dir = join(root, "packages", folder);
    const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    for (const [subpath, target] of Object.entries<{ types?: string }>(manifest.exports)) {
      if (target.types !== undefined) paths[join(manifest.name, subpath)] = [join(dir, target.types)];
    }
    // Another test sees to it that these are the public names.
    const names = readFileSync(join(root, `tooling/exports/test/snapshots/${folder}.txt`), "utf8");
    for (const [, specifier = "", name = ""] of names.matchAll(/^(\S+): (\w+) \(/gm)) {
      if (!specifiers.has(name)) specifiers.set(name, specifier);
    }
  }
  return {
    paths,
    specifiers,
    globals: join(import.meta.dirname, "../surroundings.d.ts"),
    modules: {
      [join(root, "packages/perdure/examples/workflows.ts")]: "export {};",
      [join(root, "packages/world-testkit/examples/src/index.ts")]: `
        import type { World } from "@perdure/core/world";
        export declare function myWorld(options: object): World;
        export declare function dropConnections(world: World): Promise<void>;
        export declare function dropStore(schema: string): Promise<void>;`,
    },
  };
}
