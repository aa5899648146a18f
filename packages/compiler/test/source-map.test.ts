import { generatedPositionFor, originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import { describe, expect, it } from "vitest";
import { fixtureCases } from "./fixture-cases.ts";

const compiled = fixtureCases.flatMap(({ name, code, compile }) => {
  const result = compile();
  return result?.map ? [{ name, code, output: result.code, map: result.map }] : [];
});

describe("source maps", () => {
  it.each(compiled)("map every token of $name, both ways", ({ code, output, map }) => {
    const trace = new TraceMap({ ...map, version: 3 });
    const outputLines = output.split("\n");
    const [source = ""] = map.sources;
    let checked = 0;
    code.split("\n").forEach((text, index) => {
      // The directives themselves are gone from the output.
      const kept = text.replace(/(["'])use (step|workflow)\1/g, (found) => " ".repeat(found.length));
      for (const { 0: token, index: column } of kept.matchAll(/[\w$#]+|[^\s\w]/g)) {
        if (token === ";") continue;
        const original = { source, line: index + 1, column };
        const generated = generatedPositionFor(trace, original);
        expect(generated.line, `${token} at ${original.line}:${column}`).toBe(original.line);
        expect(outputLines[index]?.slice(generated.column ?? undefined).startsWith(token), token).toBe(true);
        expect(originalPositionFor(trace, { line: index + 1, column: generated.column ?? 0 })).toMatchObject(
          original,
        );
        checked++;
      }
    });
    expect(checked).toBeGreaterThan(10);
  });

  it("carry the source, named so that it resolves beside the file", () => {
    for (const { name, code, map } of compiled) {
      expect(map.sources).toEqual([expect.stringMatching(new RegExp(`^${name}\\.[tj]sx?$`))]);
      expect(map.sourcesContent).toEqual([code]);
    }
  });
});
