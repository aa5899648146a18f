/** The transform itself: one source file in, the same file with its marked functions wrapped out. */
import { basename, extname } from "node:path";
import { checkCaptured } from "./checks/captured.ts";
import { checkDeterminism } from "./checks/determinism.ts";
import { mayContainStoredClass, namesStoredClass, StoredClasses } from "./classes.ts";
import { findClosures } from "./closures.ts";
import { isCommonJs } from "./commonjs.ts";
import { type Diagnostic, Reporter } from "./diagnostics.ts";
import { containsDirective, mayContainDirective } from "./directive.ts";
import { findDirectives } from "./directives.ts";
import { emit } from "./emit.ts";
import { excludedBy, installedPackage, isInstalled, isOwnPackage } from "./installed.ts";
import { findMarks } from "./marks.ts";
import { originOf, type SourceMap } from "./origin.ts";
import { type Installed, idPath, projectRoot, runtimeSpecifier } from "./project.ts";
import { analyzeScopes } from "./scopes.ts";
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
  /** Whether CommonJS is compiled too, with a `require` of the runtime. Default `false`: an error, since bundlers want ES modules. */
  commonjs?: boolean | undefined;
}

/** What became of a source file. */
export interface TransformResult {
  /** The new source; the old one if there are errors or nothing is marked. */
  code: string;
  /**
   * Maps the new source to the old, exact for every token; `null` if the source did not change. Where another compiler made the old
   * one, its map is not in it.
   */
  map: SourceMap | null;
  /** The kind of module that the new source is. */
  format: "module" | "commonjs";
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
  const { filename, runtime, commonjs = false } = options;
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
    reporter.diagnostics.length === 0
      ? null
      : { code, map: null, format: "module", diagnostics: reporter.sorted() };

  const parsed = parse(filename, code);
  if (!parsed.ok) {
    reporter.report("syntax-error", parsed.offset, parsed.message);
    return unchanged();
  }
  const { program } = parsed;
  const directives = findDirectives(program, code, reporter);
  const origin = installed ? undefined : originOf(code, filename);
  const path = idPath(origin?.filename ?? filename, root, installed);
  const scopes = analyzeScopes(program);
  const stored = new StoredClasses(program, code, scopes);
  const marks = findMarks(directives.marked, path, stored, reporter);
  const format = isCommonJs(filename, parsed, scopes) ? "commonjs" : "module";
  const refused = format === "commonjs" && !commonjs;
  // What perhaps is no such class is no reason to complain.
  const classes = stored.find(path, reporter).filter(({ perhaps }) => !refused || !perhaps);
  if (directives.marked.length === 0 && classes.length === 0) return unchanged();
  if (refused) {
    reporter.report("commonjs-module", directives.marked[0]?.fn.start ?? classes[0]?.body.start ?? 0);
    if (installed) return unchanged();
  }
  if (!installed && !origin && looksBuilt(path, filename)) {
    reporter.report("unmapped-output", directives.marked[0]?.fn.start ?? classes[0]?.body.start ?? 0);
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
    format,
  });
  const { version, sources, sourcesContent, names, mappings } = edited.generateMap({
    source: basename(filename),
    includeContent: true,
    hires: "boundary",
  });
  return {
    code: edited.toString(),
    map: { version, sources, names, mappings, ...(sourcesContent && { sourcesContent }) },
    format,
    diagnostics: reporter.sorted(),
  };
}

function staysAsItIs({ name }: Installed, exclude: readonly string[]): boolean {
  return isOwnPackage(name) || exclude.includes(name);
}

/** Whether a file is JavaScript in a folder of the project that compilers write to. */
function looksBuilt(path: string, filename: string): boolean {
  return /\/(dist|build|out)\//.test(path) && /^\.m?jsx?$/.test(extname(filename));
}

/** Whether a path is one that the compiler looks at: JavaScript or TypeScript. */
export function isSource(path: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(path);
}
