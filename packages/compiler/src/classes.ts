/** Finds classes that say how their instances are stored, so that every process that loads the file can read them. */
import type { Class, ClassBody, Node, Program } from "oxc-parser";
import type { Reporter } from "./diagnostics.ts";
import { nameKeptFor } from "./kept-names.ts";
import { declarationOf, importOf, initialValue, type Scopes } from "./scopes.ts";
import { ancestorsOf, isFunction, staticKey, walk } from "./syntax.ts";

/** A class to register. */
export interface StoredClass {
  body: ClassBody;
  id: string;
  /** Only running the program tells whether it has the two methods: it is registered at the end of its body if so. */
  perhaps: boolean;
}

/** Whether the instances of a class can be stored, as far as its file shows. */
type Storable = "yes" | "perhaps" | "no";

const importedKey = /\bstatic\b[^;{}()\n]*\[\s*[\p{ID_Start}$_][\p{ID_Continue}$.]*\s*\]/u;

/** Whether a file names the symbol: a cheap look that spares parsing the others. */
export function namesStoredClass(code: string): boolean {
  return code.includes("WORKFLOW_SERIALIZE") || code.includes("workflow-serialize");
}

/** Whether a file can contain such a class, also under an imported name of the symbol. */
export function mayContainStoredClass(code: string): boolean {
  return namesStoredClass(code) || importedKey.test(code);
}

/** The classes of one file. */
export class StoredClasses {
  readonly #program: Program;
  readonly #code: string;
  readonly #scopes: Scopes;
  /** Those that have instance methods which are steps. */
  readonly #withSteps: Set<Class> = new Set();

  constructor(program: Program, code: string, scopes: Scopes) {
    this.#program = program;
    this.#code = code;
    this.#scopes = scopes;
  }

  /** Why an instance method of the class cannot be a step, or nothing: then the class is registered. */
  reasonAgainstInstances(cls: Class): string | undefined {
    if (this.#storable(cls) === "no")
      return "its class has no static [WORKFLOW_SERIALIZE] and [WORKFLOW_DESERIALIZE]";
    if ([...ancestorsOf(cls)].some(isFunction)) return "its class is declared in a function";
    if (nameOf(cls) === undefined) return "its class has no name";
    this.#withSteps.add(cls);
    return undefined;
  }

  /** The classes to register. Those that cannot be found again in another process are reported. */
  find(path: string, reporter: Reporter): StoredClass[] {
    const found: StoredClass[] = [];
    const ids = new Set<string>();
    const registersItself = this.#code.includes("registerClass(");
    const report = (node: Node, why: string): void => {
      if (!registersItself) reporter.report("unregistered-class", node.start, why);
    };
    walk(this.#program, (node) => {
      if (node.type === "AssignmentExpression" && this.#isAssignedSymbol(node.left)) {
        report(node, "gets WORKFLOW_SERIALIZE by an assignment");
      }
      if (node.type !== "ClassDeclaration" && node.type !== "ClassExpression") return true;
      const storable = this.#storable(node);
      const wanted = storable === "yes" || this.#withSteps.has(node) || this.#ownSymbol(node) === "perhaps";
      if (!wanted || isRegistered(node, this.#code)) return true;
      const name = nameOf(node);
      if ([...ancestorsOf(node)].some(isFunction)) {
        if (storable === "yes") report(node, "is declared in a function");
      } else if (name === undefined) {
        if (storable === "yes") report(node, "has no name");
      } else {
        const id = `class//${path}//${name}`;
        if (ids.has(id)) reporter.report("duplicate-id", node.start, id);
        ids.add(id);
        found.push({ body: node.body, id, perhaps: storable === "perhaps" });
      }
      return true;
    });
    return found;
  }

  #storable(cls: Class): Storable {
    const own = this.#ownSymbol(cls);
    if (own === "yes" || !cls.superClass) return own;
    const base = cls.superClass.type === "Identifier" ? this.#classOf(cls.superClass) : undefined;
    // A class that another module exports may have them.
    const inherited = base === undefined ? "perhaps" : base === cls ? "no" : this.#storable(base);
    return inherited === "no" ? own : inherited;
  }

  #classOf(name: Node): Class | undefined {
    const variable = this.#scopes.mentionsIn(name)[0]?.variable;
    const node = variable && declarationOf(variable);
    const value = node?.type === "VariableDeclarator" ? node.init : node;
    return value?.type === "ClassDeclaration" || value?.type === "ClassExpression" ? value : undefined;
  }

  /** Whether a static member of the class itself has the symbol as its key. */
  #ownSymbol({ body }: Class): Storable {
    const keys = body.body.flatMap((member) =>
      (member.type === "MethodDefinition" || member.type === "PropertyDefinition") &&
      member.static &&
      member.computed
        ? [this.#meaningOf(member.key)]
        : [],
    );
    return keys.includes("yes") ? "yes" : keys.includes("perhaps") ? "perhaps" : "no";
  }

  /** Whether an expression is `WORKFLOW_SERIALIZE`, whatever it is called and wherever it comes from. */
  #meaningOf(key: Node | null | undefined): Storable {
    switch (key?.type) {
      case "Identifier": {
        if (key.name === "WORKFLOW_SERIALIZE") return "yes";
        const variable = this.#scopes.mentionsIn(key)[0]?.variable;
        if (!variable) return "no";
        const from = importOf(variable);
        if (from === undefined) return this.#meaningOf(initialValue(variable));
        if (from.name === "WORKFLOW_SERIALIZE") return "yes";
        return from.name === "WORKFLOW_DESERIALIZE" || from.module.startsWith("node:") ? "no" : "perhaps";
      }
      case "MemberExpression": {
        const name = staticKey({ key: key.property, computed: key.computed });
        if (name === "WORKFLOW_SERIALIZE") return "yes";
        if (key.object.type !== "Identifier" || key.object.name === "Symbol") return "no";
        const variable = this.#scopes.mentionsIn(key.object)[0]?.variable;
        return variable && importOf(variable) && name !== "WORKFLOW_DESERIALIZE" ? "perhaps" : "no";
      }
      case "CallExpression": {
        const [argument] = key.arguments;
        const isSymbolFor = key.callee.type === "MemberExpression" && argument?.type === "Literal";
        return isSymbolFor && argument.value === "workflow-serialize" ? "yes" : "no";
      }
      case "TSAsExpression":
      case "TSSatisfiesExpression":
      case "TSNonNullExpression":
        return this.#meaningOf(key.expression);
      default:
        return "no";
    }
  }

  #isAssignedSymbol(left: Node): boolean {
    return left.type === "MemberExpression" && left.computed && this.#meaningOf(left.property) === "yes";
  }
}

/** The file has been through the compiler before. */
function isRegistered({ body }: Class, code: string): boolean {
  return body.body.some(
    (member) => member.type === "StaticBlock" && code.slice(member.start, member.end).includes('("class//'),
  );
}

function nameOf(node: Class): string | undefined {
  if (node.id) return nameKeptFor(node.id.name, node);
  for (const outer of ancestorsOf(node)) {
    if (outer.type === "VariableDeclarator")
      return outer.id.type === "Identifier" ? outer.id.name : undefined;
    if (outer.type === "ExportDefaultDeclaration") return "default";
    return undefined;
  }
  return undefined;
}
