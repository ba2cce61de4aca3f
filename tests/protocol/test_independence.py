import subprocess
import sys


def test_the_protocol_works_without_django():
    script = (
        "import sys; sys.modules['django'] = None\n"
        "from django_hyber.protocol import *\n"
        "print(single_body(phone_number='380671234567', channels=[SMS(text='Hi', alpha_name='GMSU', ttl=300)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "380671234567" in done.stdout


def test_every_public_name_is_there():
    from django_hyber import protocol

    assert sorted(protocol.__all__) == sorted(set(protocol.__all__))
    assert all(hasattr(protocol, name) for name in protocol.__all__)
