/** What a scenario tells: lines for people, figures for programs, and what must not be. */

export type Report = {
  readonly lines: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
  /** Any of them fails the run. */
  readonly problems: readonly string[];
};

export type LoadOptions = {
  readonly nodes: 'devnet' | 'bench';
  /** Callers at the same time. */
  readonly vus: number;
  readonly seconds: number;
  readonly requests: number;
  readonly streams: number;
  readonly strangers: number;
  /** Envoy's worker threads. */
  readonly concurrency: number;
};

const decimals = 1;

/** Milliseconds for people. */
export const inMs = (value: number): string => `${value.toFixed(decimals)} ms`;

/** Columns of equal width; the first row is the head. */
export function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}
