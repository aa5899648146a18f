import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TransformResult, transform } from "../src/index.ts";

const folder = join(import.meta.dirname, "fixtures");

/** One folder of spec.md's cases, and what the compiler makes of it. */
export interface FixtureCase {
  name: string;
  /** Where the recorded diagnostics are. */
  diagnosticsFile: string;
  /** Where the recorded output is, if there is one. */
  outputFile: string;
  code: string;
  compile(code?: string): TransformResult | null;
}

/** All fixture folders that hold an `input.*`. */
export const fixtureCases: FixtureCase[] = readdirSync(folder).flatMap((name) => {
  const input = readdirSync(join(folder, name)).find((file) => file.startsWith("input."));
  if (!input) return [];
  const code = readFileSync(join(folder, name, input), "utf8");
  const filename = join("/app/src", `${name}${input.slice("input".length)}`);
  return {
    name,
    diagnosticsFile: join(folder, name, "diagnostics.json"),
    outputFile: join(folder, name, input.replace("input", "output")),
    code,
    compile: (source = code) => transform(source, { filename, root: "/app", runtime: "perdure/compiled" }),
  };
});
