"""Real database servers for tests: on a free loopback port, in a temporary folder, stopped and killed at will."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

USER = "hnas"
PASSWORD = "hns-secret"
START_SECONDS = 60.0


def free_port() -> int:
    """Returns a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server(ABC):
    """A database server with a folder, a port and a user of its own.

    Args:
        account: Which user of this machine runs it where tests run as root, which servers refuse.
    """

    scheme: str
    """How URLs of hnas begin."""

    def __init__(self, account: str) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="hnas-server-"))
        self.folder.chmod(0o755)
        self._account = pwd.getpwnam(account) if os.geteuid() == 0 else None
        if self._account:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def database(self) -> str:
        """Makes an empty database and returns its URL as hnas takes it."""
        self._databases += 1
        name = f"studies{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Returns the URL of a database."""
        return f"{self.scheme}://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Runs a statement on the server's own database."""
        engine = sqlalchemy.create_engine(self.url(self.own_database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    @property
    def process_id(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = self._spawn(self.command(), log)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except DBAPIError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.1)

    def stop(self) -> None:
        """Ends the server as an administrator would: open connections are cut off."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Ends the server as a crash would."""
        self._end(self.kill_signal)

    def restart(self) -> None:
        """Stops the server and starts it again."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Ends the server and removes its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command: Sequence[str]) -> None:
        """Runs a program of the server to its end, as the server's user."""
        process = self._spawn(command, subprocess.PIPE)
        output, _ = process.communicate(timeout=START_SECONDS)
        if process.returncode:
            raise RuntimeError(f"{command[0]}: {output.decode()[-2000:]}")

    def _spawn(self, command: Sequence[str], output: object) -> subprocess.Popen[bytes]:
        account = self._account
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder, **who
        )

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)
        self._process = None

    own_database: str
    stop_signal: signal.Signals
    kill_signal: signal.Signals

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Returns the command that runs the server in the foreground."""


class PostgresServer(Server):
    """PostgreSQL.

    Args:
        programs: The folder of ``postgres`` and ``initdb``.
        connections: How many it allows.
        fsync: Whether it waits for disks, as a server in use does; what the operating system has survives any end of
            the server without.
    """

    scheme = "postgresql+psycopg"
    own_database = "postgres"
    stop_signal = signal.SIGINT
    kill_signal = signal.SIGQUIT

    def __init__(self, programs: Path, connections: int = 60, fsync: bool = False) -> None:
        super().__init__("postgres")
        self._programs = programs
        self._settings = {"max_connections": connections, "fsync": "on" if fsync else "off"}
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            (
                f"{programs / 'initdb'} -D data -U {USER} --auth=scram-sha-256 --pwfile={secret} --no-sync "
                "--encoding=UTF8 --locale=C"
            ).split()
        )
        self.start()

    def command(self) -> Sequence[str]:
        """On loopback alone."""
        options = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1", **self._settings}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", "data", "-p", str(self.port), *settings]


class MariadbServer(Server):
    """MariaDB.

    Args:
        program: The server, ``mariadbd``.
    """

    scheme = "mysql+pymysql"
    own_database = "mysql"
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self, program: str) -> None:
        super().__init__("mysql")
        self._program = program
        install = shutil.which("mariadb-install-db") or "mariadb-install-db"
        data = f"--datadir={self.folder / 'data'}"
        self.run([install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"])
        first = self.folder / "first.sql"
        first.write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1';\n"
        )
        first.chmod(0o644)
        self.start()

    def command(self) -> Sequence[str]:
        """The user of tests is made by a file of statements that the server reads at its start."""
        names = {
            "datadir": self.folder / "data",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "init-file": self.folder / "first.sql",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-buffer-pool-size": "32M",
        }
        options = [f"--{name}={value}" for name, value in names.items()]
        return [self._program, "--no-defaults", *options, "--skip-name-resolve"]


def _postgres_programs() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("postgres")
    if found:
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextmanager
def postgres_server(connections: int = 60, fsync: bool = False) -> Iterator[PostgresServer]:
    """Runs a PostgreSQL server for the block; arguments as for `PostgresServer`.

    Raises:
        FileNotFoundError: It is not installed.
    """
    programs = _postgres_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: postgresql)")
    server = PostgresServer(programs, connections, fsync)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; each test takes databases of its own from it."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    if _postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A MariaDB server; each test takes databases of its own from it."""
    pytest.importorskip("pymysql", reason="the extra 'mysql' is not installed")
    program = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("MariaDB is not installed (Debian: mariadb-server)")
    server = MariadbServer(program)
    yield server
    server.remove()
