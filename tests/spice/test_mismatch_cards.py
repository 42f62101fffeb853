"""A mismatch file gives Pelgrom's numbers in SI units, or one error that names file, transistor and key."""

import hashlib
from pathlib import Path

import pytest

from snncircuit.errors import NetlistError
from snncircuit.spice.mismatch_cards import load_mismatch

SHIPPED = Path(__file__).parents[2] / "models" / "devices" / "generic180.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "cards.toml"
    path.write_text(text)
    return path


def test_the_shipped_file_is_read_in_si_units() -> None:
    cards = load_mismatch(SHIPPED)
    assert cards.devices.keys() == {"nch", "pch", "nch33", "pch33"}
    assert cards.devices["pch33"].a_vt == pytest.approx(8e-9)  # 8 mV um
    assert cards.devices["pch33"].a_beta == pytest.approx(1.2e-8)  # 1.2 % um
    assert cards.devices["pch33"].unit == 1.0
    assert cards.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_names_fold_units_are_kept_and_transistors_without_mismatch_left_out(tmp_path: Path) -> None:
    text = "schema = 1\n[NFET]\na_vt = 5\na_beta = 1\nunit = 1e-6\n[diode]\nterminal = 1.98\n"
    cards = load_mismatch(write(tmp_path, text))
    assert cards.devices.keys() == {"nfet"}
    assert cards.devices["nfet"].unit == 1e-6


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schema = 2\n[n]\na_vt = 1\na_beta = 1\n", "schema: expected 1"),
        ("[n]\na_vt = 1\na_beta = 1\n", "schema: expected 1"),
        ("schema = 1\n[n]\na_vt = 1\n", "n.a_beta: expected a number of at least 0, found None"),
        ("schema = 1\n[n]\na_vt = -1\na_beta = 1\n", "n.a_vt: expected a number of at least 0, found -1"),
        ("schema = 1\n[n]\na_vt = true\na_beta = 1\n", "found True"),
        ("schema = 1\n[n]\na_vt = nan\na_beta = 1\n", "found nan"),
        (
            "schema = 1\n[n]\na_vt = 1\na_beta = 1\nunit = 0\n",
            "n.unit: expected a number of at least 0 and not 0",
        ),
        (
            "schema = 1\n[n]\na_vth = 1\n",
            "n: unknown key 'a_vth'; the keys here are: terminal, a_vt, a_beta, unit",
        ),
        ("schema = 1\nn = 3\n", "n: expected a table for each transistor, found 3"),
        ("schema = 1\n[n]\nterminal = 3\n", "found no transistor with a_vt and a_beta; it has: n"),
        ("schema = \n", "found TOMLDecodeError"),
        ("#" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_what_is_no_mismatch_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(NetlistError) as error:
        load_mismatch(write(tmp_path, text))
    assert told in str(error.value)
    assert "cards.toml" in str(error.value)


def test_an_absent_file_says_which_option_names_another(tmp_path: Path) -> None:
    with pytest.raises(NetlistError, match="found no such file; name one with --mismatch"):
        load_mismatch(tmp_path / "absent.toml")
