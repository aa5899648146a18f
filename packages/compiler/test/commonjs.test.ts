import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { transform } from "../src/index.ts";

const source = `
"use step";
import { deep } from "./deep.ts";
export async function charge(id: string) { return deep(id); }
export const refund = async (id: string) => id;
export default async function () { return 1; }
async function local() {}
export class Till { static async pay() { "use step"; } }
`;
const ids = [
  "./src/orders//charge",
  "./src/orders//refund",
  "./src/orders//default",
  "./src/orders//Till.pay",
];

describe("CommonJS", () => {
  it("of tsc has the ids of its source, and requires the runtime", () => {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    });
    const { code, format } = compile(outputText);
    expect(format).toBe("commonjs");
    expect(code).toMatch(
      /^"use strict";\nconst \{ step: __perdure_step, .* \} = require\("perdure\/compiled"\);/,
    );
    expect(idsIn(code).toSorted()).toEqual(idsIn(compile(source, "orders.ts").code).toSorted());
    expect(idsIn(code).toSorted()).toEqual(ids.map((id) => `step//${id}`).toSorted());
  });

  it("of SWC has them too", () => {
    const { code } = compile(`"use strict";
"use step";
Object.defineProperty(exports, "__esModule", { value: true });
_export(exports, {
  get Till () { return Till; },
  get charge () { return charge; },
  get default () { return _default; },
  get refund () { return refund; }
});
const _deep = require("./deep");
async function charge(id) { return (0, _deep.deep)(id); }
const refund = async (id)=>id;
async function _default() { return 1; }
async function local() {}
class Till { static async pay() { "use step"; } }`);
    expect(idsIn(code).toSorted()).toEqual(ids.map((id) => `step//${id}`).toSorted());
  });

  it("of a person names functions by what they are exported as", () => {
    const { code } = compile(`exports.charge = async () => { "use step"; };
module.exports.till = { pay: async () => { "use step"; } };
const { charge } = require("./other");`);
    expect(idsIn(code)).toEqual(["step//./src/orders//charge", "step//./src/orders//till.pay"]);
    expect(
      idsIn(
        compile(`"use step"; module.exports = { charge, refund: async () => {} };
async function charge() {}`).code,
      ),
    ).toEqual(["step//./src/orders//charge", "step//./src/orders//refund"]);
    expect(idsIn(compile(`module.exports = async () => { "use step"; };`).code)).toEqual([
      "step//./src/orders//default",
    ]);
  });

  it("is refused where the caller cannot use a `require`, as bundlers cannot", () => {
    const result = transform(`exports.charge = async () => { "use step"; };`, {
      filename: "/app/a.js",
      root: "/app",
    });
    expect(result?.diagnostics).toMatchObject([{ code: "commonjs-module", severity: "error" }]);
  });
});

describe("namespaces", () => {
  const bank = `export namespace Bank {
  export async function charge() { "use step"; }
  export namespace Till { export const pay = async () => { "use step"; }; }
}`;

  it.each([ts.ModuleKind.ES2022, ts.ModuleKind.CommonJS])(
    "that tsc compiles are in the names, module kind %s",
    (module) => {
      const { outputText } = ts.transpileModule(bank, {
        compilerOptions: { module, target: ts.ScriptTarget.ES2022 },
      });
      const expected = ["step//./src/orders//Bank.Till.pay", "step//./src/orders//Bank.charge"];
      expect(idsIn(compile(bank, "orders.ts").code).toSorted()).toEqual(expected);
      expect(idsIn(compile(outputText).code).toSorted()).toEqual(expected);
    },
  );
});

describe("names that esbuild keeps", () => {
  it("are those of the ids", () => {
    const { code } =
      compile(`var __name = (target, value) => Object.defineProperty(target, "name", { value });
const refund = /* @__PURE__ */ __name(async () => { "use step"; }, "refund");
async function orders_default() { "use workflow"; return await charge2(); }
__name(orders_default, "default");
async function charge2() { "use step"; }
__name(charge2, "charge");
const till = { pay: /* @__PURE__ */ __name(async () => { "use step"; }, "pay") };
const _Till = class _Till { static async open() { "use step"; } };
__name(_Till, "Till");
export { orders_default as default };`);
    expect(idsIn(code).toSorted()).toEqual([
      "step//./src/orders//Till.open",
      "step//./src/orders//charge",
      "step//./src/orders//refund",
      "step//./src/orders//till.pay",
      "workflow//./src/orders//default",
    ]);
  });
});

function compile(code: string, name = "orders.js"): NonNullable<ReturnType<typeof transform>> {
  const filename = join("/app/src", name);
  const result = transform(code, { filename, root: "/app", runtime: "perdure/compiled", commonjs: true });
  if (!result) throw new Error("It stays as it is.");
  expect(result.diagnostics).toEqual([]);
  return result;
}

function idsIn(code: string): string[] {
  return [...new Set(code.match(/(?:step|workflow)\/\/\.\/src\/orders\/\/[\w.]+/g))];
}
