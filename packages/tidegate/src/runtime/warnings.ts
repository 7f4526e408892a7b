// The way out for warnings about a misuse that still works: Node's process warnings, which go to standard error once
// and can be listened to, traced (--trace-warnings) and silenced (--disable-warning=CODE).

/** A misuse that was noticed: a stable code to look up, and a sentence that says what to do. */
export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** Emits a process warning of type "TidegateWarning". */
export function emitWarning(warning: Warning): void {
  process.emitWarning(warning.message, { type: "TidegateWarning", code: warning.code });
}
