import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fixtureCases } from "./fixture-cases.ts";

// One folder per case of spec.md: input.*, output.* (absent if the file stays as it is) and diagnostics.json.
// `vitest run packages/compiler -u` writes what the compiler does now; read the difference before committing it.
describe.each(fixtureCases)("$name", ({ code, compile, diagnosticsFile, outputFile }) => {
  it("is compiled as recorded", async () => {
    const result = compile();
    const diagnostics = (result?.diagnostics ?? []).map(({ line, column, file: _, ...rest }) => {
      return { at: `${line}:${column}`, ...rest };
    });
    await expect(`${JSON.stringify(diagnostics, null, 2)}\n`).toMatchFileSnapshot(diagnosticsFile);
    if (result?.map) await expect(result.code).toMatchFileSnapshot(outputFile);
    else expect(existsSync(outputFile), "an output is on record, and the compiler makes none").toBe(false);
  });

  it("keeps its lines, and is not compiled twice", () => {
    const output = compile()?.code ?? code;
    // What closures are made of again follows the last line.
    const [kept = ""] = output.split("\n__perdure_step.code?.(");
    expect(kept.split("\n")).toHaveLength(code.split("\n").length);
    if (output !== code) expect(compile(output)).toBeNull();
  });
});
