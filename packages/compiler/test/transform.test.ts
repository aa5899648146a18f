import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { mayContainDirective, resemblesDirective } from "../src/directive.ts";
import * as compiler from "../src/index.ts";
import { idPath, projectRoot, runtimeSpecifier } from "../src/project.ts";
import { isSource } from "../src/transform.ts";
import { fixtureCases } from "./fixture-cases.ts";

function makeFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "perdure-compiler-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function installRuntime(folder: string, name: string): void {
  const at = join(folder, "node_modules", name);
  mkdirSync(at, { recursive: true });
  writeFileSync(
    join(at, "package.json"),
    JSON.stringify({ name, exports: { "./compiled": "./compiled.js" } }),
  );
  writeFileSync(join(at, "compiled.js"), "");
}

describe("ids", () => {
  const idsOf = (name: string): (string | undefined)[] => {
    const output = fixtureCases.find((fixture) => fixture.name === name)?.compile()?.code ?? "";
    return [...output.matchAll(/"(?:step|workflow)\/\/[^"]*\/\/([^"]*)"/g)].map(([, id]) => id);
  };

  it("do not change when the file is reformatted", () => {
    expect(idsOf("ids")).toHaveLength(6);
    expect(idsOf("ids-reformatted")).toEqual(idsOf("ids"));
  });

  it("name files by their path in the project", () => {
    expect(idPath("/app/src/charge.ts", "/app", undefined)).toBe("./src/charge");
    expect(idPath("/app/main.mts", "/app", undefined)).toBe("./main");
    expect(idPath("/shared/a.test.tsx", "/app", undefined)).toBe("../shared/a.test");
  });

  it("take the nearest package's folder as the project's", () => {
    const folder = makeFolder();
    mkdirSync(join(folder, "app/src/deep"), { recursive: true });
    writeFileSync(join(folder, "app/package.json"), "{}");
    expect(projectRoot(join(folder, "app/src/deep"))).toBe(join(folder, "app"));
  });
});

describe("the runtime's specifier", () => {
  it.each([
    [["perdure"], "perdure/compiled"],
    [["perdure", "workflow"], "perdure/compiled"],
    [["workflow"], "workflow/compiled"],
    [["@perdure/core"], "@perdure/core/compiled"],
    [[], "perdure/compiled"],
  ])("with %j installed is %s", (installed, specifier) => {
    const folder = makeFolder();
    for (const name of installed) installRuntime(folder, name);
    expect(runtimeSpecifier(join(folder, "charge.ts"))).toBe(specifier);
  });

  it("can be set", () => {
    const code = 'export async function a() { "use step"; }';
    const result = compiler.transform(code, { filename: "/app/a.ts", root: "/app", runtime: "./mine.ts" });
    expect(result?.code).toContain('from "./mine.ts"');
  });
});

describe("the look before parsing", () => {
  it.each(['f() { "use step" }', "it's; () => { 'use workfow' }", "`use step`", '"use\\x20step"'])(
    "sees %s",
    (code) => {
      expect(mayContainDirective(code)).toBe(true);
    },
  );

  it.each(['"use strict"', '"use client"', "use step", '"stop" "user" "workflow"', "'".repeat(9)])(
    "passes over %s",
    (code) => {
      expect(mayContainDirective(code)).toBe(false);
    },
  );

  it("counts slips", () => {
    const slips = [
      "use steps",
      "us step",
      "use stpe",
      "use worflow",
      "use wokrfolw",
      "USE WORKFLOW",
      "use-step",
    ];
    const others = [
      "use strict",
      "use stream",
      "use server",
      "use worker",
      "use stopp",
      "use flow",
      "",
      "user story",
    ];
    expect(slips.filter((text) => !resemblesDirective(text))).toEqual([]);
    expect(others.filter(resemblesDirective)).toEqual([]);
  });

  it("leaves other kinds of files to others", () => {
    expect(["/a/b.ts", "/a/b.mjs", "/a/b.tsx"].map(isSource)).toEqual([true, true, true]);
    expect(["/a/b.css", "/a/b.json"].map(isSource)).toEqual([false, false]);
  });
});

describe("the package", () => {
  it("exports what it promises", () => {
    expect(Object.keys(compiler).sort()).toEqual(["CompileError", "formatDiagnostic", "transform"]);
  });

  it("puts all diagnostics into its error, which is known across copies", () => {
    const { diagnostics = [] } =
      compiler.transform('async function a() { "use steps" }', { filename: "/a.ts" }) ?? {};
    const error = new compiler.CompileError(diagnostics);
    expect(error.message).toMatch(
      /^\/a\.ts:1:22 error misspelled-directive: "use steps" looks like .* Write "use step"/,
    );
    expect(compiler.CompileError.is(Object.assign(new Error(), { code: "COMPILE_ERROR" }))).toBe(true);
    expect(compiler.CompileError.is(new Error())).toBe(false);
  });
});
