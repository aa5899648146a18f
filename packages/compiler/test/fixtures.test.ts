import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { transform } from "../src/index.ts";

// One folder per case of spec.md: input.*, output.* (absent if the compiler must leave the file as it is) and diagnostics.json.
// `vitest run packages/compiler -u` writes what the compiler does now; read the difference before committing it.
const fixtures = join(import.meta.dirname, "fixtures");

describe("fixtures", () => {
  for (const name of readdirSync(fixtures)) {
    const folder = join(fixtures, name);
    const input = readdirSync(folder).find((file) => file.startsWith("input."));
    if (!input) continue;
    it(name, async () => {
      const code = readFileSync(join(folder, input), "utf8");
      const result = transform(code, {
        filename: join("/app/src", `${name}${input.slice("input".length)}`),
        root: "/app",
        runtime: "perdure/compiled",
      });
      const changed = result?.map != null;
      const diagnostics = (result?.diagnostics ?? []).map(
        ({ line, column, severity, code, message, fix }) => {
          return { at: `${line}:${column}`, severity, code, message, fix };
        },
      );
      await expect(`${JSON.stringify(diagnostics, null, 2)}\n`).toMatchFileSnapshot(
        join(folder, "diagnostics.json"),
      );
      const output = join(folder, input.replace("input", "output"));
      if (changed) await expect(result.code).toMatchFileSnapshot(output);
      else expect(existsSync(output), "an output is on record, and the compiler makes none").toBe(false);
    });
  }
});
