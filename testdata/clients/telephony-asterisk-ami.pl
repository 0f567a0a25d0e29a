# Drives Debian's libtelephony-asterisk-ami-perl as driver.js says. The library reads only while it waits for an answer, so between the orders
# it is asked for one now and then.
use strict;
use warnings;

use IO::Select;
use JSON::PP;
use Telephony::Asterisk::AMI;

$| = 1;
$SIG{PIPE} = 'IGNORE';    # a lost connection is the library's to report

my $json = JSON::PP->new->utf8(0)->canonical;
my ($ami, $again, $in);

sub say_ { print $json->encode({@_}), "\n" }

sub connect_ {
    return if $in = $ami->connect;
    say_(say => 'refused', why => $ami->error) unless $again;
}

# ask asks, and notices that the connection is gone: then the library has an error of its own.
sub ask {
    my ($action) = @_;
    my $answer = $ami->action($action);
    if ($answer->{Response} eq 'Error' && ($answer->{Message} // '') eq ($ami->error // "\0")) {
        $in = 0;
        say_(say => 'out');
    }
    return $answer;
}

my %orders = (
    connect => sub {
        my ($order) = @_;
        $again = $order->{again};
        $ami   = Telephony::Asterisk::AMI->new(
            Host => $order->{host}, Port => $order->{port}, Username => $order->{user}, Secret => $order->{secret},
            Event_Callback => sub { say_(say => 'event', fields => $_[0]) },
        );
        connect_();
        say_(say => 'in') if $in;
    },
    send => sub {
        my ($order) = @_;
        my $answer = ask($order->{action});
        say_(say => 'answer', id => $order->{id}, ok => $answer->{Response} eq 'Success' ? JSON::PP::true : JSON::PP::false, fields => $answer);
    },
    leave => sub {
        $in = 0;
        my $done = $ami->disconnect;
        say_(say => 'left', why => $done ? 'Goodbye' : $ami->error);
    },
);

my $input = IO::Select->new(\*STDIN);
my $rest  = '';
while (1) {
    if ($input->can_read(0.05)) {
        sysread(STDIN, $rest, 65536, length $rest) or last;
        while ($rest =~ s/^(.*)\n//) {
            my $order = $json->decode($1);
            $orders{ $order->{do} }->($order);
        }
    }
    elsif ($in) {
        ask({ Action => 'Ping' });
    }
    elsif ($again) {
        connect_();
        say_(say => 'in') if $in;
    }
}
