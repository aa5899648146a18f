// Reads what a package lets its users import, from the declarations that it ships.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** TypeScript's diagnostic for a module without declarations: what is re-exported from it would silently be absent. */
const CANNOT_FIND_MODULE = 2307;

interface Manifest {
  name: string;
  exports: Record<string, string | { types: string; default: string }>;
}

/**
 * One line per importable name of a built package: `perdure/api: start (value)`, sorted.
 *
 * @throws when a declared entry, or one that it re-exports from, has not been built
 */
export function publicExports(packageDir: string): string[] {
  const manifest = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as Manifest;
  const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === "string"
      ? []
      : [{ specifier: join(manifest.name, subpath), file: join(packageDir, target.types) }],
  );
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, noEmit: true },
  );
  const checker = program.getTypeChecker();
  return entries.flatMap(({ specifier, file }) => {
    const source = program.getSourceFile(file);
    if (source === undefined) {
      throw new Error(`${file} is missing: run "pnpm build" first`);
    }
    const missing = program.getSemanticDiagnostics(source).find(({ code }) => code === CANNOT_FIND_MODULE);
    if (missing !== undefined) {
      throw new Error(`${ts.flattenDiagnosticMessageText(missing.messageText, " ")} Run "pnpm build" first`);
    }
    const module = checker.getSymbolAtLocation(source);
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
    const lines = symbols.map((symbol) => `${specifier}: ${symbol.name} (${kindOf(symbol, checker)})`);
    return lines.length === 0 ? [`${specifier}: nothing`] : lines.sort();
  });
}

function kindOf(symbol: ts.Symbol, checker: ts.TypeChecker): "value" | "type" {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return target.flags & ts.SymbolFlags.Value ? "value" : "type";
}
