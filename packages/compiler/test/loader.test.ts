import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CompileError } from "../src/diagnostics.ts";
import loader, { type LoaderContext, type LoaderOptions } from "../src/loader.ts";

describe("the loader", () => {
  it("compiles a file, with ids from the tool's root folder on", () => {
    const { code, map } = load(`export async function charge() { "use step"; }`);
    expect(code).toContain(`"step//./test/charge//charge"`);
    expect(map).toMatchObject({ sources: ["charge.ts"] });
  });

  it("takes the options of the compiler", () => {
    const options = { root: import.meta.dirname, runtime: "shop/runtime" };
    const { code } = load(`export async function charge() { "use step"; }`, { options });
    expect(code).toContain(`"step//./charge//charge"`);
    expect(code).toContain(`from "shop/runtime"`);
  });

  it("imports the runtime of copies where one process may load a module several times", () => {
    const { code } = load(`export async function charge() { "use step"; }`, { options: { copies: true } });
    expect(code).toMatch(/from "[\w@/]+\/compiled-copies"/);
  });

  it("hands on what it has nothing to do with, and the map that came with it", () => {
    const map = { version: 3 };
    expect(load("export const a = 1;", { map })).toEqual({ code: "export const a = 1;", map, warnings: [] });
    const marked = `export async function charge() { "use step"; }`;
    expect(load(marked, { resourceQuery: "?raw" }).code).toBe(marked);
    expect(load(marked, { resourcePath: "charge.css" }).code).toBe(marked);
  });

  it("throws errors and emits warnings", () => {
    expect(() => load(`export async function charge() { "use stp"; }`)).toThrow(CompileError);
    const { warnings } = load(`export async function charge() { "use workflow"; return process.env.A; }`);
    expect(warnings).toEqual([expect.stringContaining("process-env")]);
  });
});

interface Loaded {
  code: string | undefined;
  map: unknown;
  warnings: string[];
}

function load(
  source: string,
  { map, options = {}, ...context }: Partial<LoaderContext> & { map?: object; options?: LoaderOptions } = {},
): Loaded {
  const loaded: Loaded = { code: undefined, map: undefined, warnings: [] };
  loader.call(
    {
      resourcePath: join(import.meta.dirname, "charge.ts"),
      rootContext: join(import.meta.dirname, ".."),
      getOptions: () => options,
      emitWarning: ({ message }) => loaded.warnings.push(message),
      callback: (_, code, out) => Object.assign(loaded, { code, map: out }),
      ...context,
    },
    source,
    map,
  );
  return loaded;
}
