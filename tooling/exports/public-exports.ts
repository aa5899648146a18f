// Reads what a package lets its users import, from the declarations that it ships.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** TypeScript's diagnostic for a module without declarations: what is re-exported from it would silently be absent. */
const CANNOT_FIND_MODULE = 2307;

/** A module that users can import: `perdure/api`. */
export interface PublicEntry {
  readonly specifier: string;
  readonly exports: readonly PublicExport[];
}

export interface PublicExport {
  readonly name: string;
  readonly kind: "value" | "type";
  /** Whether it, or what it is another name of, has a doc comment that says something before its tags. */
  readonly documented: boolean;
}

const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  noEmit: true,
};
const host = hostThatParsesOnce();

interface Manifest {
  name: string;
  exports: Record<string, string | { types: string; default: string }>;
}

/**
 * The entries of a built package in the order of its manifest, the names of each sorted.
 *
 * @throws when a declared entry, or one that it re-exports from, has not been built
 */
export function publicEntries(packageDir: string): PublicEntry[] {
  const manifest = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as Manifest;
  const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === "string"
      ? []
      : [{ specifier: join(manifest.name, subpath), file: join(packageDir, target.types) }],
  );
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    options,
    host,
  );
  const checker = program.getTypeChecker();
  return entries.map(({ specifier, file }) => {
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
    const exports = symbols.map((symbol) => publicExport(symbol, checker));
    return { specifier, exports: exports.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  });
}

function publicExport(symbol: ts.Symbol, checker: ts.TypeChecker): PublicExport {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const isDocumented = (of: ts.Symbol): boolean => of.getDocumentationComment(checker).length > 0;
  return {
    name: symbol.name,
    kind: target.flags & ts.SymbolFlags.Value ? "value" : "type",
    documented: isDocumented(symbol) || isDocumented(target),
  };
}

/** What packages share, TypeScript's own library above all, is parsed once for all of them. */
function hostThatParsesOnce(): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const parsed = new Map<string, ts.SourceFile | undefined>();
  return {
    ...host,
    getSourceFile(file, languageVersion) {
      if (!parsed.has(file)) parsed.set(file, host.getSourceFile(file, languageVersion));
      return parsed.get(file);
    },
  };
}
