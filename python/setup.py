"""What pyproject.toml cannot say: the version is the project's, the tools are those that are there, and the
wheel is of this platform but of any Python, as nothing in it is compiled against Python."""

from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent
VERSION = next(path for path in (HERE / "VERSION", HERE.parent / "VERSION") if path.exists())
TOOLS = sorted(path.name for path in (HERE / "leapstone" / "bin").glob("onnx-*"))


class PlatformDistribution(Distribution):
    """One that holds a library for a platform."""

    def has_ext_modules(self) -> bool:
        return True


class PlatformWheel(bdist_wheel):
    """One that serves every version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(
    version=VERSION.read_text(encoding="utf-8").strip(),
    distclass=PlatformDistribution,
    cmdclass={"bdist_wheel": PlatformWheel},
    entry_points={
        "console_scripts": [
            f"{tool} = leapstone._tools:{tool.replace('-', '_')}" for tool in TOOLS
        ]
    },
)
