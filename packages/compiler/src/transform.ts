/** The transform itself: one source file in, the same file with its marked functions wrapped out. */
import { basename, extname } from "node:path";
import type { Program } from "oxc-parser";
import { checkCaptured } from "./checks/captured.ts";
import { checkDeterminism } from "./checks/determinism.ts";
import { mayContainStoredClass, namesStoredClass, StoredClasses } from "./classes.ts";
import { findClosures } from "./closures.ts";
import { type Diagnostic, Reporter } from "./diagnostics.ts";
import { containsDirective, mayContainDirective } from "./directive.ts";
import { findDirectives } from "./directives.ts";
import { emit } from "./emit.ts";
import { excludedBy, installedPackage, isInstalled, isOwnPackage } from "./installed.ts";
import { findMarks } from "./marks.ts";
import { type Installed, idPath, projectRoot, runtimeSpecifier } from "./project.ts";
import { analyzeScopes, type Scopes } from "./scopes.ts";
import { parse } from "./syntax.ts";

/** Where a source file stands. */
export interface TransformOptions {
  /** Absolute path of the file; its extension decides the language. */
  filename: string;
  /** Absolute path of the folder that ids are relative to. Default: the nearest `package.json`'s, from the working directory up. */
  root?: string | undefined;
  /** The module to import the runtime functions from. Default: the first that resolves, see `spec.md`. */
  runtime?: string | undefined;
  /** Whether one process may load a module several times, from several bundles of one build. Default: no. */
  copies?: boolean | undefined;
  /** Installed packages whose files stay as they are. Default: `perdure.exclude` of the root's `package.json`. */
  exclude?: readonly string[] | undefined;
}

/** A source map, version 3. */
export interface SourceMap {
  version: number;
  sources: string[];
  sourcesContent?: (string | null)[];
  names: string[];
  mappings: string;
}

/** What became of a source file. */
export interface TransformResult {
  /** The new source; the old one if there are errors or nothing is marked. */
  code: string;
  /** Maps the new source to the old, exact for every token; `null` if the source did not change. */
  map: SourceMap | null;
  /** Errors and warnings, in the order of the source. */
  diagnostics: Diagnostic[];
}

/**
 * Wraps the functions of one file that are marked `"use step"` or `"use workflow"`, and registers the classes that say how
 * their instances are stored.
 *
 * Returns `null` if there is nothing to do and nothing to say, at little cost. Does not throw for what is wrong with the
 * source: look at `diagnostics`.
 *
 * @example
 * const result = transform(source, { filename: "/app/src/charge.ts", root: "/app" });
 * console.log(result?.code ?? source);
 */
export function transform(code: string, options: TransformOptions): TransformResult | null {
  const { filename, runtime } = options;
  const foreign = isInstalled(filename);
  if (
    foreign
      ? !containsDirective(code) && !namesStoredClass(code)
      : !mayContainDirective(code) && !mayContainStoredClass(code)
  ) {
    return null;
  }
  const root = options.root ?? projectRoot(process.cwd());
  const installed = foreign ? installedPackage(filename) : undefined;
  if (foreign && (!installed || staysAsItIs(installed, options.exclude ?? excludedBy(root)))) return null;
  const reporter = new Reporter(filename, code, installed?.name);
  const unchanged = (): TransformResult | null =>
    reporter.diagnostics.length === 0 ? null : { code, map: null, diagnostics: reporter.sorted() };

  const parsed = parse(filename, code);
  if (!parsed.ok) {
    reporter.report("syntax-error", parsed.offset, parsed.message);
    return unchanged();
  }
  const { program } = parsed;
  const directives = findDirectives(program, code, reporter);
  const path = idPath(filename, root, installed);
  const scopes = analyzeScopes(program);
  const stored = new StoredClasses(program, code, scopes);
  const marks = findMarks(directives.marked, path, stored, reporter);
  const isModule = !isCommonJs(filename, parsed, scopes);
  // What perhaps is no such class is no reason to complain.
  const classes = stored.find(path, reporter).filter(({ perhaps }) => isModule || !perhaps);
  if (directives.marked.length === 0 && classes.length === 0) return unchanged();
  if (!isModule) {
    reporter.report("commonjs-module", directives.marked[0]?.fn.start ?? classes[0]?.body.start ?? 0);
    if (installed) return unchanged();
  }
  checkCaptured(marks, scopes, reporter);
  checkDeterminism(marks, scopes, reporter);
  if (reporter.failed) return unchanged();

  const edited = emit({
    code,
    program,
    marks,
    classes,
    closures: findClosures(marks, scopes),
    directives: directives.statements,
    runtime: runtime ?? runtimeSpecifier(filename) + (options.copies ? "-copies" : ""),
  });
  const { version, sources, sourcesContent, names, mappings } = edited.generateMap({
    source: basename(filename),
    includeContent: true,
    hires: "boundary",
  });
  return {
    code: edited.toString(),
    map: { version, sources, names, mappings, ...(sourcesContent && { sourcesContent }) },
    diagnostics: reporter.sorted(),
  };
}

function staysAsItIs({ name }: Installed, exclude: readonly string[]): boolean {
  return isOwnPackage(name) || exclude.includes(name);
}

function isCommonJs(
  filename: string,
  { program, hasModuleSyntax }: { program: Program; hasModuleSyntax: boolean },
  scopes: Scopes,
): boolean {
  if (/^\.c[jt]s$/.test(extname(filename))) return true;
  const names = new Set(["require", "module", "exports"]);
  return (
    !hasModuleSyntax &&
    scopes.mentionsIn(program).some(({ variable, node }) => !variable && names.has(node.name))
  );
}

/** Whether a path is one that the compiler looks at: JavaScript or TypeScript. */
export function isSource(path: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(path);
}
