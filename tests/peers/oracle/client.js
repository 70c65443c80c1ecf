// node-oracledb (thin) against the lab's Data Connect: the statements of statements.json, one line each. Status 1 when one differs.
// The lab's CA comes by NODE_EXTRA_CA_CERTS: a wallet of this driver holds a certificate of the client too.
'use strict';

const fs = require('fs');
const oracledb = require('oracledb');

oracledb.fetchAsString = [oracledb.CLOB];
oracledb.fetchAsBuffer = [oracledb.BLOB];

const connect = (password) => oracledb.getConnection({
  user: process.env.ISE_DC_USER,
  password: password || process.env.ISE_DC_PASS,
  connectString: `tcps://localhost:${process.env.ISE_DC_PORT}/${process.env.ISE_DC_SERVICE}`,
  sslServerDNMatch: true,
});

// As statements.json has it.
function plain(value, zoned) {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return `hex:${value.toString('hex')}`;
  if (value instanceof Date) {
    // A time without a zone is read on this computer's clock.
    const utc = zoned ? value : new Date(value.getTime() - value.getTimezoneOffset() * 60000);
    return zoned ? utc.toISOString() : utc.toISOString().replace('Z', '');
  }
  return String(value);
}

async function differs(connection, statement) {
  const options = { fetchArraySize: statement.fetch || 100, prefetchRows: 2 };
  if (statement.numbersAsText) options.fetchTypeHandler = (column) => column.dbType === oracledb.DB_TYPE_NUMBER ? { type: oracledb.STRING } : undefined;
  let result;
  try {
    result = await connection.execute(statement.sql, statement.binds || [], options);
  } catch (error) {
    const expected = (statement.error || {}).node || (statement.cancelled && 'NJS-123');
    return expected && error.message.includes(expected) ? null : error.message;
  }
  if ((statement.error || {}).node) return 'no error';
  const fetched = result.rows || [];
  const rows = fetched.map((row) => row.map((value) => plain(value, statement.zoned)));
  const same = (one, two) => (JSON.stringify(one) === JSON.stringify(two) ? null : JSON.stringify(one).slice(0, 300));
  if (statement.lengths) return same(fetched.map((row) => row.map((value) => (value === null ? null : value.length || String(value).length))), statement.lengths);
  if ('count' in statement) {
    if (rows.length !== statement.count) return `${rows.length} rows`;
    return statement.last ? same(rows[rows.length - 1], statement.last) : null;
  }
  return same(rows, statement.rows);
}

async function main() {
  const statements = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
  let failed = 0;
  const say = (what, why) => {
    failed += why === null ? 0 : 1;
    console.log((why === null ? 'ok      ' : 'differs ') + what.slice(0, 100) + (why === null ? '' : `: ${why}`));
  };
  const connection = await connect();
  console.log(`node-oracledb ${oracledb.versionString}, server ${connection.oracleServerVersionString}`);
  for (const statement of statements) {
    connection.callTimeout = statement.cancelled ? 700 : 0;
    say(statement.sql, await differs(connection, statement));
  }
  await connection.ping();
  await connection.close();
  let why = 'no error';
  try {
    await connect('Wrong-Password-1');
  } catch (error) {
    why = error.message.includes('ORA-01017') ? null : error.message;
  }
  say('a wrong password', why);
  console.log(`${statements.length + 1} checks, ${failed} differ`);
  process.exit(failed > 0 ? 1 : 0);
}

main();
